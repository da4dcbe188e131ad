/** The section `episodes` of the configuration: when one begins and ends, and what is kept to find it. */
import Type from 'typebox';
import { section } from './section.js';

export const EpisodesSchema = section({
  enabled: Type.Boolean({
    default: true,
    description: 'Whether the role jobs looks through the readings for episodes.',
  }),
  delaySeconds: Type.Number({
    default: 60,
    minimum: 0,
    maximum: 86_400,
    description: 'So long records must be anomalous before an episode opens: a flicker is none.',
  }),
  leastRecords: Type.Integer({
    default: 5,
    minimum: 1,
    maximum: 10_000,
    description: 'So many anomalous records at least before an episode opens.',
  }),
  unnamedDelaySeconds: Type.Number({
    default: 7200,
    minimum: 0,
    maximum: 604_800,
    description: 'So long records must be anomalous before an episode opens that no signature fits.',
  }),
  quietSeconds: Type.Number({
    default: 300,
    minimum: 1,
    maximum: 604_800,
    description: 'An episode ends when it was quiet for so long.',
  }),
  mergeSeconds: Type.Number({
    default: 600,
    minimum: 0,
    maximum: 604_800,
    description: 'An episode that begins so soon after the last one of its device is its continuation.',
  }),
  settleSeconds: Type.Number({
    default: 10,
    minimum: 0,
    maximum: 3600,
    description: 'Readings younger than this are not looked at yet: others of the same instant may follow.',
  }),
  lookBackHours: Type.Number({
    default: 24,
    minimum: 0,
    maximum: 8760,
    description: 'How much of the past of a device is looked through that never was before.',
  }),
  maxDevices: Type.Integer({
    default: 5000,
    minimum: 1,
    maximum: 5_000_000,
    description:
      'Devices whose recent past is kept in memory, some 0.1 MB each; beyond, those silent for longest are loaded again when they report.',
  }),
  saveSeconds: Type.Number({
    default: 600,
    minimum: 1,
    maximum: 86_400,
    description:
      'What is known of a device is saved when it is this much newer than what was saved: so much is read again after a restart.',
  }),
});
