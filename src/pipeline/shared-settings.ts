/** What devices go by: the defaults, or what a device's own profile makes of them. Devices with the same profile share one object. */

export class SharedSettings<Profile, Settings> {
  readonly #defaults: Settings;
  readonly #byDevice: (Settings | undefined)[] = [];
  readonly #known = new Map<string, Settings>();
  readonly #settingsOf: (profile: Profile | undefined) => Settings;

  /** @param settingsOf is asked once for each profile, and once for the defaults: without one */
  constructor(settingsOf: (profile: Profile | undefined) => Settings) {
    this.#settingsOf = settingsOf;
    this.#defaults = settingsOf(undefined);
  }

  of(device: number): Settings {
    return this.#byDevice[device] ?? this.#defaults;
  }

  /** @param profile undefined: the device has none */
  set(device: number, profile: Profile | undefined): void {
    if (profile === undefined) {
      if (device < this.#byDevice.length) this.#byDevice[device] = undefined;
      return;
    }
    while (this.#byDevice.length <= device) this.#byDevice.push(undefined);
    const key = JSON.stringify(profile);
    let settings = this.#known.get(key);
    if (settings === undefined) this.#known.set(key, (settings = this.#settingsOf(profile)));
    this.#byDevice[device] = settings;
  }
}
