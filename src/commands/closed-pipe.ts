/** What becomes of a command whose reader has gone: `downhole jobs history | head`. */

/** What a shell shows of a program that SIGPIPE ended: 128 + 13. Node ignores the signal and reports an error instead. */
const ENDED_BY_SIGPIPE = 141;

/**
 * Ends the process without a word once nobody reads its output any more, as other programs in a pipe do. What it was doing
 * is left as a kill leaves it, which everything here survives. (The log goes on by itself: a service does not end for it.)
 */
export function endOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(ENDED_BY_SIGPIPE);
      throw error;
    });
  }
}
