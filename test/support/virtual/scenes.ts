import { answerVirtualCall, END_TOOL, type VirtualCall, type VirtualCallOptions } from './virtual-call.js';

/** An answer of some five and a half seconds. */
export const ANSWER = 'A ticket for an adult is twelve euros, and children under six come in free with their parents.';

/** What the agent says last. */
export const GOODBYE = 'Thank you. Goodbye.';

/** The model's passes that end a call: the edge to the end node, and its words. */
export const goodbyePasses = [{ tools: [END_TOOL] }, { text: GOODBYE }];

/** A call whose greeting was heard. */
export async function afterGreeting(options: VirtualCallOptions = {}): Promise<VirtualCall> {
  const call = await answerVirtualCall(options);
  await call.untilEvent('agent-said');
  await call.advance(500);
  return call;
}

/** A call whose agent has been heard for so long with {@link ANSWER}. */
export async function whileAnswering(options: VirtualCallOptions = {}, heardMs = 1500): Promise<VirtualCall> {
  const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses], ...options });
  call.carrier.says('How much is a ticket?');
  await call.untilEvent('reply-started', 2);
  await call.advance(heardMs);
  return call;
}

/** A call whose agent is saying {@link GOODBYE}. */
export async function whileSayingGoodbye(options: VirtualCallOptions = {}): Promise<VirtualCall> {
  const call = await afterGreeting({ passes: goodbyePasses, ...options });
  call.carrier.says('Thank you, goodbye.');
  await call.untilEvent('reply-started', 2);
  return call;
}

/** Texts of one model request's messages, with their roles. */
export function messagesOf(call: VirtualCall, request: number): readonly string[] {
  return (call.llm.requests[request]?.messages ?? []).map((message) => `${message.role}: ${message.role === 'tool' ? message.result : message.text}`);
}
