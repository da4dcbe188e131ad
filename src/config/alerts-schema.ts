/** The section `alerts` of the configuration: who is told, how often, and each rule with its thresholds. */
import Type from 'typebox';
import { CONDITION_NAMES } from '../telemetry/conditions.js';
import { section } from './section.js';

/** Every rule of alerts has these keys, beside its thresholds. */
const alertRule = <T extends Record<string, Type.TSchema>>(
  severity: 'warning' | 'critical',
  forMinutes: number,
  resolveMinutes: number,
  thresholds: T,
) =>
  section({
    severity: Type.Enum(['off', 'warning', 'critical'], {
      default: severity,
      description: 'How grave; off: nobody looks.',
    }),
    ...thresholds,
    forMinutes: Type.Number({
      default: forMinutes,
      minimum: 0,
      maximum: 10_080,
      description: 'It is an alert once it has been the case for so long without a break.',
    }),
    resolveMinutes: Type.Number({
      default: resolveMinutes,
      minimum: 0,
      maximum: 10_080,
      description: 'The alert has passed once it has not been the case for so long.',
    }),
  });

export const AlertsSchema = section({
  webhookUrl: Type.String({
    default: '',
    description: 'Where the role jobs posts alerts, as JSON; empty: they are in the log alone.',
    protocols: ['https:', 'http:'],
    secret: true,
  }),
  webhookSecret: Type.String({
    default: '',
    description: 'Signs what is posted (HMAC-SHA256 in downhole-signature); empty: it is not signed.',
    secret: true,
  }),
  email: section({
    smtpUrl: Type.String({
      default: '',
      description:
        'smtps:// or smtp:// URL of the mail server, with user and password where it asks for them (they go through TLS alone); empty: no e-mail.',
      protocols: ['smtp:', 'smtps:'],
      secret: true,
    }),
    caFile: Type.String({
      default: '',
      description: 'PEM file of the authority that vouches for the mail server; empty: those that Node knows.',
    }),
    from: Type.String({ default: '', description: 'Sender of the e-mails.' }),
    to: Type.Array(Type.String({ minLength: 3, pattern: '^[^@\\s]+@[^@\\s]+$' }), {
      uniqueItems: true,
      default: [],
      description: 'Who gets them.',
    }),
  }),
  groupWaitSeconds: Type.Integer({
    default: 30,
    minimum: 0,
    maximum: 3600,
    description:
      'From the first news of a group until it is told: what else comes up meanwhile is in the same message.',
  }),
  groupIntervalSeconds: Type.Integer({
    default: 300,
    minimum: 0,
    maximum: 86_400,
    description: 'Least time between two messages of a group.',
  }),
  repeatHours: Type.Number({
    default: 12,
    minimum: 0,
    maximum: 720,
    description: 'What still is the case after this time is told again; 0: never.',
  }),
  qualityLow: alertRule('warning', 15, 15, {
    dimensions: Type.Array(
      Type.Enum(['overall', 'completeness', 'validity', 'consistency', 'timeliness', 'accuracy']),
      { uniqueItems: true, default: ['overall'], description: 'Figures of data quality that are looked at.' },
    ),
    by: Type.Array(Type.Enum(['fleet', 'site', 'device']), {
      uniqueItems: true,
      default: ['site'],
      description: 'Of what: each its own alert.',
    }),
    below: Type.Number({ default: 0.8, minimum: 0, maximum: 1, description: 'A figure below it is an alert …' }),
    resolveAbove: Type.Number({
      default: 0.85,
      minimum: 0,
      maximum: 1,
      description: '… and one of at least this is none any more.',
    }),
    windowMinutes: Type.Integer({
      default: 60,
      minimum: 5,
      maximum: 44_640,
      description: 'Records of this time until now.',
    }),
    leastRecords: Type.Integer({ default: 100, minimum: 1, description: 'Fewer say too little.' }),
  }),
  deviceSilent: alertRule('warning', 0, 5, {
    intervals: Type.Number({
      default: 10,
      minimum: 1,
      description: 'A device without a reading for so many of its expected intervals is an alert …',
    }),
    resolveIntervals: Type.Number({ default: 5, minimum: 1, description: '… and for fewer than these none any more.' }),
    leastMinutes: Type.Number({
      default: 5,
      minimum: 0,
      description: 'Silence that is shorter is none, whatever the interval.',
    }),
    forgetDays: Type.Number({
      default: 7,
      minimum: 0,
      description: 'A device that was silent for longer before anybody looked is out of use.',
    }),
  }),
  episodeOpen: alertRule('warning', 0, 0, {
    criticalDiagnoses: Type.Array(Type.Enum([...CONDITION_NAMES]), {
      uniqueItems: true,
      default: ['gas_lock', 'pump_off', 'broken_shaft', 'deadhead', 'overload', 'electrical'],
      description:
        'What destroys a pump within hours: an episode with one of these diagnoses is critical, whatever the severity of the others.',
    }),
    leastConfidence: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1,
      description: 'An episode whose diagnosis is less certain is no alert; 0: also one without a diagnosis is.',
    }),
    forgetDays: Type.Number({
      default: 1,
      minimum: 0,
      description: 'One that was last seen longer ago, before anybody looked, is history.',
    }),
  }),
  deadLetters: alertRule('warning', 0, 10, {
    waiting: Type.Integer({ default: 1000, minimum: 1, description: 'More dead letters that wait are an alert …' }),
    resolveWaiting: Type.Integer({ default: 800, minimum: 0, description: '… and at most these none any more.' }),
    perHour: Type.Integer({ default: 100, minimum: 1, description: 'More new ones in the last hour are an alert …' }),
    resolvePerHour: Type.Integer({ default: 50, minimum: 0, description: '… and at most these none any more.' }),
  }),
  queueDeep: alertRule('warning', 5, 5, {
    messages: Type.Integer({
      default: 100_000,
      minimum: 1,
      description:
        'More messages in the queue are an alert, in the embedded queue where the process with jobs has it …',
    }),
    resolveMessages: Type.Integer({ default: 50_000, minimum: 0, description: '… and at most these none any more.' }),
  }),
  jobFailing: alertRule('critical', 0, 0, {
    failures: Type.Integer({
      default: 3,
      minimum: 1,
      maximum: 1000,
      description: 'A job that has failed so often in a row is an alert.',
    }),
  }),
  jobOverdue: alertRule('warning', 10, 10, {}),
  diskFilling: alertRule('critical', 0, 60, {
    days: Type.Number({
      default: 7,
      minimum: 0,
      maximum: 3650,
      description: 'A disk that is full in fewer days is an alert …',
    }),
    resolveDays: Type.Number({
      default: 10,
      minimum: 0,
      maximum: 3650,
      description: '… and in at least these none any more.',
    }),
  }),
  archiveDamaged: alertRule('critical', 0, 0, {}),
});
