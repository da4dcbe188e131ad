/**
 * Which page makes a browser send a request. A cookie comes along by itself, and SameSite takes every port of a host for
 * the same site: what changes something has to come from a page of this very server. Scripts cannot set either header.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** `unknown`: no browser, or an old one that says nothing. An Origin that is not of this server was refused before. */
export function pageOf({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): 'own' | 'foreign' | 'unknown' {
  if (site !== undefined) return site === 'same-origin' ? 'own' : 'foreign';
  return origin === undefined ? 'unknown' : 'own';
}
