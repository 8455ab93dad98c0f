import type { TransferRequest } from '../provider.js';
import { escapeXml } from './snippets.js';

/** CXML that dials the destination and hangs up after it: a cold transfer. */
export function dialDocument(request: TransferRequest): string {
  const callerId = request.callerId === undefined ? '' : ` callerId="${escapeXml(request.callerId)}"`;
  const noun = /^sips?:/i.test(request.destination) ? 'Sip' : 'Number';
  const dial = `<Dial${callerId} timeout="${request.timeoutSeconds}"><${noun}>${escapeXml(request.destination)}</${noun}></Dial>`;
  return `<Response>${dial}<Hangup/></Response>`;
}

/** CXML for the destination of a warm transfer: it hears the announcement and joins the conference, which reports the join. */
export function consultDocument(options: { readonly conference: string; readonly announcement: string; readonly callbackUrl: string }): string {
  const say = options.announcement === '' ? '' : `<Say>${escapeXml(options.announcement)}</Say>`;
  const callback = `statusCallback="${escapeXml(options.callbackUrl)}" statusCallbackEvent="join"`;
  const conference = `<Conference endConferenceOnExit="true" ${callback} holdMusic="false">${escapeXml(options.conference)}</Conference>`;
  return `<Response>${say}<Dial>${conference}</Dial><Hangup/></Response>`;
}

/** CXML that moves the caller into the conference and hangs up after it. */
export function conferenceDocument(conference: string): string {
  const noun = `<Conference endConferenceOnExit="true" beep="false" holdMusic="false">${escapeXml(conference)}</Conference>`;
  return `<Response><Dial>${noun}</Dial><Hangup/></Response>`;
}
