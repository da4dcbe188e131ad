/** A queue on the broker: how it is fed and read, and what this process knows of its content. */
import type { OutgoingMessage } from './queue.js';
import type { RabbitmqAccounts } from './rabbitmq-accounts.js';
import type { Route } from './rabbitmq-topology.js';

export interface RabbitmqLane {
  readonly route: Route;
  readonly accounts: RabbitmqAccounts;
}

/** The lanes of one queue of the platform: several where it is split into partitions. */
export interface RabbitmqLanes {
  /** What has no partition, or all there is. */
  readonly whole: RabbitmqLane;
  /** By their number. */
  readonly partitions: readonly RabbitmqLane[];
}

export const allLanes = ({ whole, partitions }: RabbitmqLanes): RabbitmqLane[] => [whole, ...partitions];

/** Where a message belongs. */
export function laneOf({ whole, partitions }: RabbitmqLanes, { partition }: OutgoingMessage): RabbitmqLane {
  if (partition === undefined) return whole;
  const lane = partitions[partition];
  if (lane === undefined) throw new RangeError(`there is no partition ${partition}: there are ${partitions.length}`);
  return lane;
}
