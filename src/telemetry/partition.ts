/** Which part of a queue the records of a device belong to. */
import { fnv1a } from './fnv1a.js';

/**
 * FNV-1a of 32 bits over the UTF-8 bytes of the id, modulo the number of partitions. Other programs compute the same to
 * publish straight into a partition, so it must never change.
 * @param partitions at least 1
 * @returns from 0 below `partitions`
 */
export function partitionOf(deviceId: string, partitions: number): number {
  return fnv1a(deviceId) % partitions;
}
