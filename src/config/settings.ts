/** One value that somebody gave to a key, and where: what defaults, file, environment and command line have in common. */
import { CONFIGURATION_KEYS, isSection, type KeySchema } from './keys.js';
import { nearestName } from './nearest-name.js';

export interface Setting {
  /** `http.port` */
  readonly path: string;
  readonly value: unknown;
  /** For a person: `downhole.yaml:3:9`, `DOWNHOLE_HTTP_PORT`, `command line`. */
  readonly origin: string;
}

/** What a source gives: settings of known keys, and what is wrong with the rest. */
export interface ReadSettings {
  readonly settings: Setting[];
  readonly problems: string[];
}

/** A key that the schema does not have, with the one that was probably meant. */
export function unknownKey(path: string, origin: string): string {
  const known = CONFIGURATION_KEYS.map((key) => key.path);
  if (known.includes(path)) {
    const cut = path.lastIndexOf('.');
    return `${path} (${origin}) is written with a dot; write ${path.slice(cut + 1)} under ${path.slice(0, cut)}`;
  }
  if (isSection(path)) return `${path} (${origin}) is a section; give keys of it`;
  // Within a section the last part alone decides, so that a short key is found in a long section name.
  const cut = path.lastIndexOf('.');
  const siblings = known.filter((key) => key.startsWith(path.slice(0, cut + 1)) && cut >= 0);
  const sibling = nearestName(
    path.slice(cut + 1),
    siblings.map((key) => key.slice(cut + 1)),
  );
  const elsewhere = known.find((key) => key.endsWith(`.${path.slice(cut + 1)}`)) ?? nearestName(path, known);
  const nearest = sibling === undefined ? elsewhere : path.slice(0, cut + 1) + sibling;
  return `${path} (${origin}) is not a key; ${nearest === undefined ? 'remove it' : `did you mean ${nearest}?`}`;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * The value that a text from the environment or the command line stands for. A text that does not fit the key's type
 * stays text, and validation says so.
 */
export function parseText(text: string, schema: KeySchema): unknown {
  switch (schema.type) {
    case 'integer':
    case 'number':
      return NUMBER.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
      return parseList(text, schema.items ?? {});
    case 'object':
      return parseJson(text);
    default:
      return text;
  }
}

/** Comma-separated; a list of anything but scalars is given as JSON. */
function parseList(text: string, items: KeySchema): unknown {
  if (items.type === 'object' || items.type === 'array') return parseJson(text);
  if (text.trim() === '') return [];
  return text.split(',').map((item) => parseText(item.trim(), items));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return text; // validation reports it as text where structure is expected
    throw error;
  }
}
