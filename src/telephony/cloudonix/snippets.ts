const XML_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Escapes text for an XML attribute or element. Characters that XML 1.0 cannot carry are dropped. */
export function escapeXml(text: string): string {
  return text.replace(/[^\P{Cc}\t\n\r]|\p{Cs}|[\ufffe\uffff]/gu, '').replace(/[&<>"']/g, (character) => XML_ESCAPES[character] ?? character);
}

/** Call flows to paste at Cloudonix. The final verb keeps a caller from being left on a silent line when the stream ends. */
export function createSnippets(streamUrl: string): Readonly<Record<string, string>> {
  return {
    cxml: [
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<Response>',
      '  <Connect>',
      `    <Stream url="${escapeXml(streamUrl)}"/>`,
      '  </Connect>',
      '  <Hangup/>',
      '</Response>',
    ].join('\n'),
  };
}
