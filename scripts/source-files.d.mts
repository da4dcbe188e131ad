export function sourceFiles(folders: readonly string[], extensions: readonly string[], root?: string): string[];
