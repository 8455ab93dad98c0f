/** E.164: a plus and up to 15 digits, the first not 0 (ITU-T E.164 §6). */
const E164_NUMBER = /^\+[1-9]\d{3,14}$/;

/** A SIP or SIPS URI (RFC 3261 §19.1.1) of user and host, without parameters and markup. */
const SIP_URI = /^sips?:[^\s<>"'&@]{1,64}@[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/i;

/** True where a call can be transferred to: an E.164 number or a SIP URI. The one rule for documents, the API and calls. */
export function isTransferDestination(text: string): boolean {
  return E164_NUMBER.test(text) || SIP_URI.test(text);
}
