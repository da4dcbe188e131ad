// Every source file under some folders, as paths relative to the repository. (fs.globSync needs Node 22.)
import { existsSync, readdirSync } from 'node:fs';

const SKIPPED = new Set(['node_modules', 'dist', '.tmp']);

/**
 * @param {readonly string[]} folders relative to `root`; those that do not exist have no files
 * @param {readonly string[]} extensions how the names end
 * @param {string} root with a slash at its end; default: the current directory
 * @returns {string[]} sorted
 */
export function sourceFiles(folders, extensions, root = './') {
  /** @type {string[]} */
  const found = [];
  /** @param {string} folder */
  const walk = (folder) => {
    for (const entry of readdirSync(root + folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension))) found.push(path);
    }
  };
  for (const folder of folders) if (existsSync(root + folder)) walk(folder);
  return found.sort();
}
