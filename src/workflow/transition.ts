import { isTransferDestination } from '../base/transfer-destination.js';
import type { WorkflowStep } from './engine.js';
import { extractionOf } from './extraction.js';
import type { CollectNode, GraphEdge, TransferNode } from './graph.js';
import { askModel, enter, holdingEdge, nodeAt, promptedAt, renderFor, speak, speakFixed, thenListen, thenTransfer, withEntry, type Reply } from './reply.js';

/** Nodes one step may pass through: a document has no silent loop, a state of another document might. */
const MAX_HOPS = 100;
const MAX_REASON_LENGTH = 200;

/**
 * Takes an edge. `hasSpoken`: the pass that chose it already answered the caller, so nothing is said on the way and an agent node
 * listens at once; without words its first ones are asked for. What the node collects is asked for in the background.
 */
export function takeEdge(reply: Reply, edge: GraphEdge, hasSpoken: boolean): WorkflowStep {
  const request = extractionOf(reply.graph, reply.state, reply.wallMs);
  const leaving: Reply = request === null ? reply : { ...reply, actions: [...reply.actions, { type: 'extract-variables', request }] };
  return travel(leaving, edge, hasSpoken, MAX_HOPS);
}

function travel(reply: Reply, edge: GraphEdge, hasSpoken: boolean, hopsLeft: number): WorkflowStep {
  const from = promptedAt(reply.graph, reply.state.nodeId);
  const onTheWay = hasSpoken ? reply : speakFixed(reply, edge.transitionSpeech, from?.allowInterrupt ?? true);
  return arrive(onTheWay, edge.targetId, hasSpoken, hopsLeft);
}

function arrive(reply: Reply, nodeId: string, hasSpoken: boolean, hopsLeft: number): WorkflowStep {
  const node = nodeAt(reply.graph, nodeId);
  if (node === undefined || hopsLeft <= 0) return stayAtOrigin(reply);
  const entered = enter(reply, node);
  switch (node.type) {
    case 'say': {
      const said = speakFixed(entered, node.speech, node.allowInterrupt);
      const edge = holdingEdge(node.conditions, entered.state.variables) ?? node.next;
      return travel(said, edge, hasSpoken || said !== entered, hopsLeft - 1);
    }
    case 'collectDigits':
      return askForKeys(entered, node);
    case 'transferCall':
      return beginTransfer(entered, node, hopsLeft);
    case 'endCall':
      return askModel(entered, node, { isArrival: true });
    case 'startCall':
    case 'agentNode': {
      const edge = holdingEdge(node.conditions, entered.state.variables);
      if (edge !== undefined) return travel(entered, edge, hasSpoken, hopsLeft - 1);
      return hasSpoken ? thenListen(entered) : askModel(entered, node, { isArrival: true });
    }
  }
}

/** Speaks the prompt; only a key stops it, so that no noise does. The caller always hears something to answer to. */
export function askForKeys(reply: Reply, node: CollectNode): WorkflowStep {
  const prompt = renderFor(reply, node.prompt);
  return thenListen(speak(reply, prompt === '' && reply.spoken === '' ? reply.graph.texts.fallback : prompt, false));
}

/** Nowhere to go: the caller hears the fallback where the model last spoke. */
function stayAtOrigin(reply: Reply): WorkflowStep {
  const { graph, state } = reply;
  const back: Reply = { ...reply, state: { ...state, nodeId: state.originId } };
  return thenListen(speak(back, graph.texts.fallback, true));
}

function beginTransfer(reply: Reply, node: TransferNode, hopsLeft: number): WorkflowStep {
  const destination = renderFor(reply, node.destination);
  if (!isTransferDestination(destination)) return failTransfer(reply, node, 'the destination is not a number or SIP address', hopsLeft);
  const message = renderFor(reply, node.message);
  const announced = speak(reply, message === '' && reply.spoken === '' ? reply.graph.texts.transfer : message, false);
  return thenTransfer(announced, { destination, mode: node.mode, timeoutSeconds: node.timeoutSeconds });
}

/**
 * A transfer that came to nothing: along the edge for it, else back to where the call came from, where the model tells the caller. `node`
 * null: a tool asked for it, and the call is still there.
 */
export function failTransfer(reply: Reply, node: TransferNode | null, reason: string, hopsLeft: number = MAX_HOPS): WorkflowStep {
  const { graph, state } = reply;
  const text = `The transfer failed: ${reason.slice(0, MAX_REASON_LENGTH)}. The caller is still on the line.`;
  const noted = withEntry(reply, { role: 'note', text });
  if (node !== null && node.onFailure !== null) return travel(noted, node.onFailure, false, hopsLeft - 1);
  const origin = promptedAt(graph, state.originId);
  if (origin === undefined) return stayAtOrigin(noted);
  const back = node === null ? noted : enter(noted, origin);
  return noted.passesLeft > 0 ? askModel(back, origin) : thenListen(speak(back, graph.texts.transfer_failed, true));
}
