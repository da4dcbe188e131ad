// Every source file under some folders, as paths relative to the repository. (fs.globSync needs Node 22.)
import { readdirSync } from 'node:fs';

const SKIPPED = new Set(['node_modules', 'dist']);

/** @returns paths that end with one of `extensions`, sorted; [] where a folder does not exist */
export function sourceFiles(folders, extensions) {
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension))) found.push(path);
    }
  };
  for (const folder of folders) walk(folder);
  return found.sort();
}
