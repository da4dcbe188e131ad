/** Whether the sender of one request may send for a device. Asked record by record; what it does not know is looked up once. */
import { reject, showValue, type Rejection } from '../../telemetry/rejection.js';
import type { DeviceScope } from '../device-scope.js';
import type { DeviceSites } from './device-sites.js';

export class FleetJudge {
  readonly #actor: string;
  readonly #fleet: DeviceScope;
  readonly #sites: DeviceSites;
  readonly #unknown = new Set<string>();
  #found: ReadonlyMap<string, string | null> | undefined;

  /** @param actor stands in the messages: `key:ID` */
  constructor(actor: string, fleet: DeviceScope, sites: DeviceSites) {
    this.#actor = actor;
    this.#fleet = fleet;
    this.#sites = sites;
  }

  /** Whether a device was asked for that has to be looked up: then `lookUp`, and ask again from the beginning. */
  get needsLook(): boolean {
    return this.#found === undefined && this.#unknown.size > 0;
  }

  /** The refusal of a record of this device; undefined when it may be sent, or when that is not known yet. */
  readonly judge = (deviceId: string): Rejection | undefined => {
    if (!this.#fleet.coversId(deviceId)) return this.#refuse(deviceId);
    if (this.#fleet.sites === null) return undefined;
    const site = this.#found?.get(deviceId) ?? this.#sites.peek(deviceId);
    if (site !== undefined) return this.#fleet.coversSite(site) ? undefined : this.#refuse(deviceId);
    if (this.#found !== undefined) return this.#refuseUnknown(deviceId);
    this.#unknown.add(deviceId);
    return undefined;
  };

  /** Looks up what is not known; a key of exactly one site registers there what the database does not know. */
  async lookUp(): Promise<void> {
    const { sites } = this.#fleet;
    this.#found = await this.#sites.look([...this.#unknown], sites?.length === 1 ? sites[0] : undefined);
  }

  #refuse(deviceId: string): Rejection {
    const message = `device ${showValue(deviceId)} is not among those that ${this.#actor} may send; use its own key, or have the key or the device's site changed`;
    return reject('forbidden_device', 'device_id', message);
  }

  #refuseUnknown(deviceId: string): Rejection {
    if (this.#fleet.sites?.length === 1)
      return reject(
        'too_many_devices',
        'device_id',
        `device ${showValue(deviceId)} is new, and the limit of devices is reached`,
      );
    const message = `device ${showValue(deviceId)} is new, and ${this.#actor} is for several sites: register it with its site first, or use a key of that site alone`;
    return reject('forbidden_device', 'device_id', message);
  }
}
