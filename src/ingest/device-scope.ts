/** The part of the fleet that a key is restricted to: some sites, some devices. Where both are given, both must hold. */

export class DeviceScope {
  /** null: every site. */
  readonly sites: readonly string[] | null;
  /** Whole ids; null, with `prefixes`: every device. */
  readonly ids: readonly string[] | null;
  readonly prefixes: readonly string[] | null;
  readonly #ids: ReadonlySet<string>;

  /**
   * @param devices ids, or prefixes that end with `*`; null: every device
   */
  constructor(sites: readonly string[] | null, devices: readonly string[] | null) {
    this.sites = sites;
    this.ids = devices?.filter((pattern) => !pattern.endsWith('*')) ?? null;
    this.prefixes = devices?.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1)) ?? null;
    this.#ids = new Set(this.ids);
  }

  /** The scope of a stored key; undefined when it is restricted to nothing. */
  static of(sites: readonly string[] | null, devices: readonly string[] | null): DeviceScope | undefined {
    return sites === null && devices === null ? undefined : new DeviceScope(sites, devices);
  }

  /** Whether a device of this id can be in it, as far as the id tells. */
  coversId(deviceId: string): boolean {
    if (this.prefixes === null || this.#ids.has(deviceId)) return true;
    return this.prefixes.some((prefix) => deviceId.startsWith(prefix));
  }

  /** Whether a device at this site can be in it; null is a device without a site. */
  coversSite(site: string | null): boolean {
    return this.sites === null || (site !== null && this.sites.includes(site));
  }

  covers(deviceId: string, site: string | null): boolean {
    return this.coversId(deviceId) && this.coversSite(site);
  }
}
