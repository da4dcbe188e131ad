/** A mail server that keeps what it gets, with or without TLS, and asks for a password if it is to. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { CertificateFiles } from './certificates.js';

export interface ReceivedMail {
  readonly text: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
}

export interface MailServerOptions {
  /** Absent: it offers no TLS. */
  readonly certificates?: CertificateFiles;
  /** TLS from the beginning, rather than when it is asked for. */
  readonly isSecure?: boolean;
  readonly login?: { readonly user: string; readonly password: string };
  /** SMTP codes to refuse the first mails with, after they have come. */
  readonly refusals?: readonly number[];
  readonly unknownRecipients?: readonly string[];
}

export interface MailServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Whether somebody tried to log in without TLS. */
  readonly logins: readonly { readonly isSecure: boolean }[];
  close(): Promise<void>;
}

const refused = (code: number): Error => Object.assign(new Error('not for geheim@here'), { responseCode: code });

export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const { certificates, isSecure = false, login, unknownRecipients = [] } = options;
  const refusals = [...(options.refusals ?? [])];
  const received: ReceivedMail[] = [];
  const logins: { isSecure: boolean }[] = [];
  const server = new SMTPServer({
    secure: isSecure,
    ...(certificates === undefined
      ? {}
      : { key: readFileSync(certificates.keyFile), cert: readFileSync(certificates.certificateFile) }),
    authOptional: login === undefined,
    disabledCommands: [...(certificates === undefined ? ['STARTTLS'] : []), ...(login === undefined ? ['AUTH'] : [])],
    logger: false,
    onAuth({ username, password }, session, done) {
      logins.push({ isSecure: session.secure });
      if (username === login?.user && password === login?.password) done(null, { user: login?.user ?? '' });
      else done(refused(535));
    },
    onRcptTo({ address }, _session, done) {
      done(unknownRecipients.includes(address) ? refused(550) : null);
    },
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => {
        const code = refusals.shift();
        if (code !== undefined) return done(refused(code));
        received.push({ text, isSecure: session.secure, user: session.user as string | undefined });
        done();
      });
    },
  });
  // Clients that do not trust the certificate break off: that is their side of the test.
  server.on('error', () => undefined);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    logins,
    close: () => new Promise((closed) => server.close(closed)),
  };
}
