/** `downhole diagnose FILE…`: a recording through the pipeline's own judgement, and what was wrong with the pump. */
import { basename } from 'node:path';
import { IDENTITY_MAPPING, planImport } from '../gateway/import/plan-import.js';
import type { Mapping } from '../gateway/import/mapping.js';
import { readMapping } from '../gateway/import/read-mapping.js';
import { bestOf } from '../pipeline/diagnosis/diagnose.js';
import { duration } from '../pipeline/diagnosis/expectation.js';
import type { Episode } from '../pipeline/episodes/episode.js';
import { checkDeviceId } from '../pipeline/read-record.js';
import { anomalyCauseName } from '../telemetry/anomaly-cause.js';
import { CONDITIONS } from '../telemetry/conditions.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { printLine } from './print-table.js';
import { readMappingFile } from './read-mapping-file.js';
import { judgeRecording, type Judgement } from './judge-recording.js';
import { Recording } from './recording.js';
import { refuseEmpty } from './recording-notes.js';

export interface DiagnoseOptions extends GlobalOptions {
  readonly mapping?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** Confidence below which an alternative is not worth a line. */
const WORTH_SAYING = 0.15;
const MOST_ALTERNATIVES = 3;

/**
 * Prints the episodes of the recordings, in time order for each device.
 * @throws OperationalError `wrong_usage`, `invalid_configuration`, `file_unreadable`, `recording_too_long`,
 * `recording_empty`
 */
export async function diagnoseFiles(files: readonly string[], options: DiagnoseOptions): Promise<void> {
  const { config } = loadQuietly(options);
  const recording = new Recording();
  for (const file of files) await readFile(recording, file, options);
  refuseEmpty(recording, files);
  const judgement = judgeRecording(recording, config);
  if (options.json === true) process.stdout.write(`${JSON.stringify(asJson(judgement), null, 2)}\n`);
  else printJudgement(judgement);
}

async function readFile(recording: Recording, file: string, options: DiagnoseOptions): Promise<void> {
  const mappingText = options.mapping === undefined ? '' : readMappingFile(options.mapping);
  const mapping = options.mapping === undefined ? IDENTITY_MAPPING : readMapping(mappingText, options.mapping);
  const deviceId = options.device;
  const plan = { files: [file], mappingText, deviceId };
  const ownName = basename(file).replace(/(\.[a-z0-9]{1,8}){1,2}$/i, '');
  const [planned] = await planWithDevice({ ...plan, mapping }, ownName);
  if (planned === undefined) return;
  const problem = planned.deviceId === undefined ? undefined : checkDeviceId(planned.deviceId);
  if (problem !== undefined) throw new OperationalError('wrong_usage', `${file}: ${problem.message}`);
  await recording.read(planned);
}

/** Where neither the mapping nor a column says which device it is, the file's name does. */
async function planWithDevice(
  plan: { files: readonly string[]; mapping: Mapping; mappingText: string; deviceId: string | undefined },
  ownName: string,
): ReturnType<typeof planImport> {
  if (plan.deviceId !== undefined) return planImport(plan);
  if (plan.mapping.device === undefined) return planImport({ ...plan, deviceId: ownName });
  if (!plan.mapping.isIdentity) return planImport(plan);
  try {
    return await planImport(plan);
  } catch (error) {
    if (!(error instanceof OperationalError && error.message.includes('"device_id"'))) throw error;
    return planImport({ ...plan, deviceId: ownName });
  }
}

interface EpisodeJson {
  readonly device_id: string;
  readonly start: string;
  readonly end: string;
  readonly found: string;
  /** Still going on when the recording ended. */
  readonly open: boolean;
  readonly peak_score: number | null;
  readonly peak: string | null;
  readonly cause: string | null;
  readonly anomalous_records: number;
  /** null: no signature fits. */
  readonly diagnosis: string | null;
  readonly confidence: number;
  readonly evidence: {
    readonly for: readonly string[];
    readonly against: readonly string[];
    readonly missing: readonly string[];
  };
  readonly alternatives: readonly { readonly diagnosis: string; readonly confidence: number }[];
}

function asJson({ episodes, records, rejected, devices, notes }: Judgement): object {
  return {
    episodes: episodes.map(({ deviceId, episode }) => episodeJson(deviceId, episode)),
    records,
    rejected,
    devices,
    notes,
  };
}

function episodeJson(deviceId: string, episode: Episode): EpisodeJson {
  const best = bestOf(episode.ranking);
  const others = episode.ranking.filter((diagnosis) => diagnosis !== best && diagnosis.confidence >= WORTH_SAYING);
  const hasPeak = Number.isFinite(episode.peakScore);
  return {
    device_id: deviceId,
    start: formatTimestamp(episode.startUs),
    end: formatTimestamp(episode.endUs),
    found: formatTimestamp(episode.foundUs),
    open: episode.isOpen,
    peak_score: hasPeak ? Math.round(episode.peakScore * 1000) / 1000 : null,
    peak: hasPeak ? formatTimestamp(episode.peakUs) : null,
    cause: anomalyCauseName(episode.cause < 0 ? null : episode.cause) ?? best?.channel ?? null,
    anomalous_records: episode.anomalousRecords,
    diagnosis: best?.condition ?? null,
    confidence: best?.confidence ?? 0,
    evidence: best?.evidence ?? { for: [], against: [], missing: [] },
    alternatives: others
      .slice(0, MOST_ALTERNATIVES)
      .map(({ condition, confidence }) => ({ diagnosis: condition, confidence })),
  };
}

function printJudgement({ episodes, records, rejected, devices, notes }: Judgement): void {
  for (const { deviceId, episode } of episodes) printEpisode(episodeJson(deviceId, episode), episode);
  for (const note of notes) printLine(`note: ${note}`);
  const refused = rejected === 0 ? '' : `, ${rejected} rows refused`;
  printLine(`${episodes.length} episodes in ${records} records of ${devices} devices${refused}`);
}

function printEpisode(shown: EpisodeJson, episode: Episode): void {
  const best = bestOf(episode.ranking);
  const name =
    best === undefined
      ? 'no signature fits'
      : `${CONDITIONS[best.condition].label}, confidence ${best.confidence.toFixed(2)}`;
  const seconds = (episode.endUs - episode.startUs) / 1e6;
  printLine(
    `${shown.device_id}  ${shown.start} … ${shown.open ? 'going on' : shown.end} (${duration(seconds)})  ${name}`,
  );
  const score = shown.peak_score === null ? '' : `, peak score ${shown.peak_score} at ${shown.peak}`;
  printLine(`  cause    ${shown.cause ?? 'unknown'}${score}`);
  for (const words of shown.evidence.for) printLine(`  for      ${words}`);
  for (const words of shown.evidence.against) printLine(`  against  ${words}`);
  if (shown.evidence.missing.length > 0) printLine(`  untold   ${shown.evidence.missing.join(', ')}`);
  if (best !== undefined) printLine(`  do       ${CONDITIONS[best.condition].advice}`);
  const others = shown.alternatives.map(({ diagnosis, confidence }) => `${diagnosis} ${confidence.toFixed(2)}`);
  if (others.length > 0) printLine(`  or else  ${others.join(', ')}`);
}
