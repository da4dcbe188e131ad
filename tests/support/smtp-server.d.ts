/** The part of smtp-server that mail-server.ts uses. */
declare module 'smtp-server' {
  import type { Readable } from 'node:stream';

  interface Session {
    readonly secure: boolean;
    readonly user?: string;
  }
  type Done = (error?: Error | null, result?: { user: string }) => void;

  export class SMTPServer {
    constructor(options: {
      secure: boolean;
      key?: Buffer;
      cert?: Buffer;
      authOptional: boolean;
      disabledCommands: readonly string[];
      logger: false;
      onAuth(auth: { username?: string; password?: string }, session: Session, done: Done): void;
      onRcptTo(address: { address: string }, session: Session, done: Done): void;
      onData(stream: Readable, session: Session, done: Done): void;
    });
    readonly server: import('node:net').Server;
    listen(port: number, host: string, listening: () => void): void;
    close(closed: () => void): void;
    on(event: 'error', listener: (error: Error) => void): void;
  }
}
