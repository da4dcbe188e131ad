/** Looks through what was stored for episodes, in a lane of its own: it waits for no refresh of a large day. */
import { findBehind } from '../episodes/due-devices.js';
import { EpisodeFollower, type EpisodeSettings } from '../episodes/episode-follower.js';
import { countGoingOn } from '../episodes/read-episodes.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

export function episodesJob(settings: EpisodeSettings): JobDefinition {
  const follower = new EpisodeFollower(settings);
  return {
    name: 'episodes',
    description: 'looks through new readings for episodes, and says what may be wrong',
    lane: 'episodes',
    intervalSeconds: 15,
    initialDelaySeconds: 5,
    async run(context: JobContext): Promise<JobOutcome> {
      const { devices, readings, turns, unusable, more } = await follower.run(context);
      for (const { turn, id, deviceId, diagnosis, confidence } of turns)
        context.events.emit(turn === 'opened' ? 'episode_opened' : 'episode_ended', {
          episode: id,
          device: deviceId,
          diagnosis,
          confidence,
        });
      for (const states of unusable) context.events.emit('episode_states_unusable', states);
      const goingOn = await countGoingOn(context.database);
      context.events.emit('episodes_followed', { devices, readings, goingOn });
      const opened = turns.filter(({ turn }) => turn === 'opened').length;
      return { detail: { devices, readings, opened, ended: turns.length - opened, goingOn }, more };
    },
    findFault: findBehind,
  };
}
