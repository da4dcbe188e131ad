/** The commands around keys and certificates as the command line knows them; their code is loaded when they run. */
import type { Command } from 'commander';
import type { AuditOptions } from './audit.js';
import type { CertDevOptions } from './cert.js';
import type { CreateKeyOptions } from './keys.js';

const WHERE = `
Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key with the scope admin in DOWNHOLE_API_KEY if it requires keys.`;

const CREATE_HELP = `
The key is printed once, on stdout; only its hash is kept.${WHERE}

Scopes: write (send telemetry, import), read (the page, the read API, metrics), admin (holds, dead letters, keys; implies read).

Examples:
  downhole keys create --name 'gateway north 3' --site North
  downhole keys create --name 'gateway of well 7' --device ESP-007 --records-per-second 500
  downhole keys create --name 'Ada, console' --scope read --expires 90
  downhole keys create --name operations --scope admin > admin.key`;

export function addKeyCommands(program: Command): void {
  const keys = program.command('keys').description('API keys: make, list and revoke them');
  keys
    .command('create')
    .description('make a key')
    .requiredOption('-n, --name <name>', 'whose key it is')
    .option('-s, --scope <scope...>', 'write, read, admin; several with commas', ['write'])
    .option('--site <site...>', 'only devices at these sites')
    .option('--device <pattern...>', 'only these devices: ids, or prefixes that end with *')
    .option('--expires <when>', 'days from now, a date, or RFC 3339')
    .option('--requests-per-second <number>', 'instead of http.maxRequestsPerSecond')
    .option('--records-per-second <number>', 'instead of http.maxRecordsPerSecond')
    .addHelpText('after', CREATE_HELP)
    .action(async (options: CreateKeyOptions) =>
      (await import('./keys.js')).createApiKey({ ...program.opts(), ...options }),
    );
  keys
    .command('list')
    .description('show the keys, newest first: whose, for what, until when, when last used')
    .addHelpText('after', `${WHERE}\n\nExample:\n  downhole keys list | grep -v revoked`)
    .action(async () => (await import('./keys.js')).listApiKeys(program.opts()));
  keys
    .command('revoke')
    .description('take a key out of force')
    .argument('<id>', 'as `downhole keys list` shows it')
    .addHelpText('after', `${WHERE}\n\nExample:\n  downhole keys revoke 3f9a1c77b2e0`)
    .action(async (id: string) => (await import('./keys.js')).revokeApiKey(id, program.opts()));

  program
    .command('audit')
    .description('show the log of administrative acts, newest first')
    .option('--since <when>', 'days before now, a date, or RFC 3339')
    .option('--limit <number>', 'most entries', '100')
    .addHelpText('after', `${WHERE}\n\nExample:\n  downhole audit --since 7`)
    .action(async (options: AuditOptions) =>
      (await import('./audit.js')).showAuditLog({ ...program.opts(), ...options }),
    );
}

const CERT_HELP = `
Prints the settings that use the files. An authority that is in the directory is used again.

Examples:
  downhole cert dev --name downhole.example.com --name 192.0.2.7
  downhole cert dev --out certs > downhole.env`;

export function addCertificateCommands(program: Command): void {
  const cert = program.command('cert').description('certificates for HTTPS');
  cert
    .command('dev')
    .description('make an authority of your own and a server certificate that it vouches for, to try HTTPS out')
    .option('-o, --out <dir>', 'directory for ca.crt, ca.key, server.crt and server.key', 'certs')
    .option('-n, --name <host...>', 'names and addresses of the server beside localhost, 127.0.0.1 and ::1', [])
    .option('--force', 'replace the server certificate that is there; the authority stays')
    .addHelpText('after', CERT_HELP)
    .action(async (options: CertDevOptions) => (await import('./cert.js')).certDev(options));
}
