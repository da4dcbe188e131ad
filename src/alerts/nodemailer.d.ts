/** The part of nodemailer that deliver-email.ts uses, and nothing beyond it: the package is loaded only where e-mail is configured. */
declare module 'nodemailer' {
  interface MailOptions {
    readonly host: string;
    readonly port?: number;
    readonly secure: boolean;
    readonly requireTLS: boolean;
    readonly auth?: { readonly user: string; readonly pass: string };
    readonly tls?: { readonly ca: string };
    readonly connectionTimeout: number;
    readonly greetingTimeout: number;
    readonly socketTimeout: number;
  }

  interface Mail {
    readonly from: string;
    readonly to: readonly string[];
    readonly subject: string;
    readonly text: string;
    readonly messageId: string;
    readonly headers: Readonly<Record<string, string>>;
  }

  interface Transporter {
    /** Rejects with an Error that has `code`, and `responseCode` where the server answered. */
    sendMail(mail: Mail): Promise<{ readonly rejected: readonly unknown[] }>;
    close(): void;
  }

  export function createTransport(options: MailOptions): Transporter;
}
