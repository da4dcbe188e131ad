/** `GET /v1/devices` and `GET /v1/devices/:id`. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { CHANNEL_NAMES, type ChannelName } from '../telemetry/channels.js';
import { AnswerCache } from './answer-cache.js';
import {
  type Device,
  type DeviceDetail,
  DeviceDetailSchema,
  type DeviceList,
  DeviceListSchema,
  ErrorSchema,
  type Sparkline,
} from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { readDataRange } from './data-range.js';
import { type DevicePage, readDevice, readDevicePage } from './device-list.js';
import { notFound } from './request-error.js';
import { Sparklines } from './sparklines.js';
import { nowRfc3339 } from './timestamps.js';

const FLEET_MAX_AGE_MS = 1000;
/** A sparkline point stands for minutes: half a minute of age does not show. */
const SPARKLINE_MAX_AGE_MS = 30_000;
/** Curves (channel and length) whose past is kept: as many as people look at at a time. */
const MAX_SPARKLINE_SOURCES = 4;
const MAX_DEVICES_PER_PAGE = 5000;

type CurvesByDevice = ReadonlyMap<string, Sparkline>;

const ListQuery = Type.Object(
  {
    search: Type.String({ default: '', maxLength: 128, description: 'Part of id, name, site or field.' }),
    limit: Type.Integer({ default: 1000, minimum: 1, maximum: MAX_DEVICES_PER_PAGE, description: 'Devices per page.' }),
    offset: Type.Integer({ default: 0, minimum: 0, maximum: 10_000_000, description: 'Devices to skip.' }),
    sparkline: Type.Optional(Type.Enum([...CHANNEL_NAMES], { description: 'Channel to add a small curve of.' })),
    hours: Type.Integer({ default: 6, minimum: 1, maximum: 168, description: 'Length of that curve.' }),
  },
  { additionalProperties: false },
);

const DevicePath = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128, description: 'device_id' }) });

export function devicesRoutes(api: FastifyInstance, { database, levels }: ConsoleContext): void {
  const pages = new AnswerCache<DevicePage>({ maxAgeMs: FLEET_MAX_AGE_MS });
  const sparklines = new AnswerCache<CurvesByDevice>({ maxAgeMs: SPARKLINE_MAX_AGE_MS });

  const sources = new Map<string, Sparklines>();
  const readSparklines = async (key: string, channel: ChannelName, hours: number): Promise<CurvesByDevice> => {
    const source = sources.get(key) ?? new Sparklines(database, channel, hours);
    // Asked for last stands last: the first one is the one to forget.
    sources.delete(key);
    sources.set(key, source);
    for (const old of sources.keys()) if (sources.size > MAX_SPARKLINE_SOURCES) sources.delete(old);
    return source.read(await levels(), Date.now() / 1000);
  };
  const addSparklines = async (devices: readonly Device[], channel: ChannelName, hours: number): Promise<Device[]> => {
    const key = `${channel} ${hours}`;
    const curves = await sparklines.get(key, () => readSparklines(key, channel, hours));
    return devices.map((device) => {
      const sparkline = curves.get(device.device_id);
      return sparkline === undefined ? device : { ...device, sparkline };
    });
  };

  api.get<{ Querystring: Static<typeof ListQuery> }>(
    '/v1/devices',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'The fleet: devices in the order of their ids, with last values',
        tags: ['read'],
        querystring: ListQuery,
        response: { 200: DeviceListSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ caller: { fleet }, query: { search, limit, offset, sparkline, hours } }): Promise<DeviceList> => {
      const page = await pages.get(JSON.stringify([fleet, search, limit, offset]), () =>
        readDevicePage(database, fleet, search, limit, offset),
      );
      const devices = sparkline === undefined ? page.devices : await addSparklines(page.devices, sparkline, hours);
      return { as_of: nowRfc3339(), total: page.total, limit, offset, devices };
    },
  );

  const details = new AnswerCache<Omit<DeviceDetail, 'as_of'> | undefined>({ maxAgeMs: FLEET_MAX_AGE_MS });
  api.get<{ Params: Static<typeof DevicePath> }>(
    '/v1/devices/:id',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'One device: last values, and from when to when it has data',
        tags: ['read'],
        params: DevicePath,
        response: { 200: DeviceDetailSchema, 404: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ caller: { fleet }, params: { id } }): Promise<DeviceDetail> => {
      const detail = await details.get(id, async () => {
        const device = await readDevice(database, id);
        if (device === undefined) return undefined;
        return { device, ...(await readDataRange(database, await levels(), id)) };
      });
      // What a key may not see, it is not told about either.
      if (detail === undefined || fleet?.covers(id, detail.device.site) === false)
        throw notFound(`Device "${id}"`, 'GET /v1/devices lists those that are.');
      return { as_of: nowRfc3339(), ...detail };
    },
  );
}
