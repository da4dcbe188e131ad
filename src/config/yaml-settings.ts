/** Settings from a YAML file; every one knows its line and column. */
import { readFileSync } from 'node:fs';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type YAMLMap } from 'yaml';
import { OperationalError } from '../telemetry/operational-error.js';
import { findKey, isSection } from './keys.js';
import { unknownKey, type ReadSettings } from './settings.js';

/** Nobody writes a configuration of this size; a data file named by mistake is refused before it is parsed. */
const MAX_FILE_BYTES = 1_048_576;

/** Reads a YAML file. A file that is not there or not YAML is a problem like any other. */
export function readYamlSettings(file: string): ReadSettings {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    return { settings: [], problems: [`the file ${file} cannot be read (${reason}); name a readable YAML file`] };
  }
  if (text.length > MAX_FILE_BYTES)
    return {
      settings: [],
      problems: [`the file ${file} has more than ${MAX_FILE_BYTES} characters; name a YAML file`],
    };
  return parseYamlSettings(text, file);
}

/** Settings of a YAML text; `file` stands in the messages. */
function parseYamlSettings(text: string, file: string): ReadSettings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0)
    return { settings: [], problems: faults.map((fault) => `${at(fault.pos[0])}: ${fault.message}; correct the YAML`) };

  const found: ReadSettings = { settings: [], problems: [] };
  const root = document.contents;
  if (isMap(root)) readSection(root, '', { document, at, found });
  else if (root !== null && !(isScalar(root) && root.value === null))
    found.problems.push(`${at(root.range?.[0] ?? 0)}: the file holds no keys; write them as \`key: value\``);
  return found;
}

interface Reading {
  readonly document: Document.Parsed;
  readonly at: (offset: number) => string;
  readonly found: ReadSettings;
}

function readSection(section: YAMLMap, prefix: string, reading: Reading): void {
  const { document, at, found } = reading;
  for (const pair of section.items) {
    const keyNode = pair.key as Node;
    const path = prefix + String(isScalar(keyNode) ? keyNode.value : keyNode);
    const keyOffset = keyNode.range?.[0] ?? 0;
    const valueNode = pair.value as Node | null;
    const target = isAlias(valueNode) ? valueNode.resolve(document) : valueNode;
    const known = findKey(path) !== undefined && !path.slice(prefix.length).includes('.');
    if (known) {
      found.settings.push({
        path,
        value: toValue(target, document, at(keyOffset)),
        origin: at(valueNode?.range?.[0] ?? keyOffset),
      });
    } else if (isSection(path) && isMap(target)) {
      readSection(target, `${path}.`, reading);
    } else if (!isSection(path) || !(target === undefined || target === null || isEmpty(target))) {
      found.problems.push(unknownKey(path, at(keyOffset)));
    }
  }
}

/** A section without keys (`http:`) is an empty one. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function toValue(node: Node | null | undefined, document: Document.Parsed, where: string): unknown {
  if (node === null || node === undefined) return null;
  try {
    return node.toJS(document, { maxAliasCount: 100 }) as unknown;
  } catch (error) {
    // yaml refuses aliases that multiply (a "billion laughs" file) with a ReferenceError.
    if (error instanceof ReferenceError)
      throw new OperationalError('invalid_configuration', `${where}: ${error.message}; write the values out`, {
        cause: error,
      });
    throw error;
  }
}
