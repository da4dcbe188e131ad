/** Alerts by e-mail, through a real mail server that is as trustworthy, or not, as they are. */
import { expect, it, onTestFinished } from 'vitest';
import { EmailChannel } from '../../src/alerts/deliver-email.js';
import type { AlertMessage } from '../../src/alerts/message-outbox.js';
import { writeCertificates } from '../support/certificates.js';
import { startMailServer, type MailServer, type MailServerOptions } from '../support/mail-server.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const RAISED_US = Date.parse('2026-11-01T00:00:00Z') * 1000;
const message: AlertMessage = {
  id: '5f8cbd2b-6a54-4f64-a5e5-6a1f0a6c0c3e',
  groupKey: 'device_silent site=North',
  omitted: 0,
  alerts: [null, RAISED_US + 3600e6].map((endedAtUs, n) => ({
    fingerprint: `f${n}`,
    rule: 'device_silent',
    severity: 'warning',
    labels: { device: `W-${n}`, site: 'North' },
    summary: `W-${n} is silent\r\nBcc: somebody@else`,
    detail: {},
    raisedAtUs: RAISED_US,
    endedAtUs,
  })),
};

async function start(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  onTestFinished(() => server.close());
  return server;
}

const certificatesIn = () => writeCertificates(temporaryDirectory('mail'));

const deliver = (address: string, more: { ca?: string; to?: string[]; message?: AlertMessage } = {}) =>
  new EmailChannel({
    url: address,
    from: 'downhole@example.com',
    to: more.to ?? ['a@example.com', 'b@example.com'],
    ca: more.ca,
  }).deliver(more.message ?? message, new AbortController().signal);

it('says what is the case and what has passed, with an id of its own, and no line breaks that senders put in', async () => {
  const server = await start();
  expect(await deliver(`smtp://127.0.0.1:${server.port}`)).toBeUndefined();
  const [{ text, isSecure } = { text: '', isSecure: true }] = server.received;
  expect(isSecure).toBe(false);
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  expect(head).toContain('Subject: [FIRING:1] device_silent site=North');
  expect(head).toContain(`Message-ID: <${message.id}@downhole>`);
  expect(head).toContain('To: a@example.com, b@example.com');
  expect(head).not.toMatch(/^Bcc/m);
  const [single] = message.alerts;
  await deliver(`smtp://127.0.0.1:${server.port}`, {
    message: { ...message, alerts: single === undefined ? [] : [single] },
  });
  expect(server.received[1]?.text.split('\r\n\r\n', 1)[0]).toMatch(
    /^Subject: \[FIRING:1\] W-0 is silent Bcc: somebody@else/m,
  );
  expect(body).toContain('What is the case:');
  // Quoted-printable: its soft line breaks are none.
  const unfolded = text.replaceAll('=\r\n', '');
  expect(unfolded).toContain('warning, since 2026-11-01T00:00:00Z: W-0 is silent Bcc');
  expect(unfolded).toMatch(/What has passed:\r\n\r\n- warning, since 2026-11-01T00:00:00Z until 2026-11-01T01:00:00Z/);
});

it('goes through TLS where it is offered, and from the beginning with smtps, and only to a server that can be trusted', async () => {
  const certificates = certificatesIn();
  const offering = await start({ certificates });
  const secure = await start({ certificates, isSecure: true });
  const { ca } = certificates;
  expect(await deliver(`smtp://127.0.0.1:${offering.port}`, { ca })).toBeUndefined();
  expect(await deliver(`smtps://127.0.0.1:${secure.port}`, { ca })).toBeUndefined();
  expect([...offering.received, ...secure.received].map(({ isSecure }) => isSecure)).toEqual([true, true]);
  for (const url of [`smtp://127.0.0.1:${offering.port}`, `smtps://127.0.0.1:${secure.port}`])
    expect(await deliver(url)).toMatchObject({ isFinal: false });
  expect([...offering.received, ...secure.received]).toHaveLength(2);
});

it('shows a password to a server that speaks TLS and to no other, and to nobody who reads the reason', async () => {
  const certificates = certificatesIn();
  const login = { user: 'us@er', password: 'ge:heim/' };
  const withTls = await start({ certificates, login });
  const without = await start({ login });
  const { ca } = certificates;
  expect(await deliver(`smtp://us%40er:ge%3Aheim%2F@127.0.0.1:${withTls.port}`, { ca })).toBeUndefined();
  expect(withTls.received.map(({ user }) => user)).toEqual(['us@er']);
  const wrong = await deliver(`smtp://us%40er:geheim@127.0.0.1:${withTls.port}`, { ca });
  expect(wrong).toEqual({ reason: 'it answered 535 (EAUTH)', isFinal: true });
  const plain = await deliver(`smtp://us%40er:ge%3Aheim%2F@127.0.0.1:${without.port}`);
  expect(plain?.reason).not.toContain('heim');
  expect(without.logins).toEqual([]);
  expect(without.received).toEqual([]);
});

it('is tried again where the server asks for that, and not where it refuses; one unknown recipient is told', async () => {
  const server = await start({ refusals: [451, 554], unknownRecipients: ['gone@example.com'] });
  const url = `smtp://127.0.0.1:${server.port}`;
  expect(await deliver(url)).toEqual({ reason: 'it answered 451 (EMESSAGE)', isFinal: false });
  expect(await deliver(url)).toEqual({ reason: 'it answered 554 (EMESSAGE)', isFinal: true });
  expect(await deliver(url, { to: ['a@example.com', 'gone@example.com'] })).toEqual({
    reason: 'it refused 1 of 2 recipients',
    isFinal: true,
  });
  expect(server.received).toHaveLength(1);
  expect(await deliver('smtp://127.0.0.1:1')).toMatchObject({ isFinal: false });
});

it('ends when the process stops', async () => {
  const server = await start();
  const stopping = AbortSignal.abort();
  const channel = new EmailChannel({ url: `smtp://127.0.0.1:${server.port}`, from: 'a@b', to: ['c@d'] });
  expect(await channel.deliver(message, stopping)).toEqual({ reason: 'the process stops', isFinal: false });
});
