import type { JSX } from 'preact';
import type { EpisodeList, EpisodeShown } from '../../src/episodes/episode-schemas.js';
import { getJson } from './api.js';
import { Icon } from './icons.js';
import { Link } from './link.js';
import { episodePath } from './router.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 10_000;

/** What has become of an episode. */
export function EpisodeMark({ episode }: { readonly episode: EpisodeShown }): JSX.Element {
  if (episode.state === 'closed')
    return (
      <span class="mark muted">
        <Icon name="ok" /> Closed{episode.end === null && ', goes on'}
      </span>
    );
  return (
    <span class={episode.state === 'open' ? 'mark bad' : 'mark warn'}>
      <Icon name={episode.state === 'open' ? 'anomaly' : 'off'} /> {episode.state === 'open' ? 'Going on' : 'Ended'}
    </span>
  );
}

/** The episode of a well that goes on, as the way to its page; nothing where none does. */
export function OpenEpisode({ deviceId }: { readonly deviceId: string }): JSX.Element | null {
  const path = `/v1/episodes?state=open&limit=1&device=${encodeURIComponent(deviceId)}`;
  const { data } = usePoll(path, (abort) => getJson<EpisodeList>(path, abort), POLL_MS);
  const episode = data?.episodes[0];
  if (episode === undefined) return null;
  return (
    <span class="mark bad">
      <Icon name="anomaly" />
      <Link href={episodePath(episode.id, '')}>Episode: {episode.diagnosis_label ?? 'no signature fits'}</Link>
    </span>
  );
}
