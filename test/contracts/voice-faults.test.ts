import { cartesia } from '../../src/speech/cartesia/cartesia.js';
import { deepgram } from '../../src/speech/deepgram/deepgram.js';
import { elevenlabs } from '../../src/speech/elevenlabs/elevenlabs.js';
import { rime } from '../../src/speech/rime/rime.js';
import { startFakeCartesia } from '../support/fakes/cartesia.js';
import { startFakeDeepgramVoice } from '../support/fakes/deepgram-voice.js';
import { startFakeElevenlabsVoice } from '../support/fakes/elevenlabs-voice.js';
import { startFakeRime } from '../support/fakes/rime.js';
import { describeVoiceFaults } from './voice-faults.js';

describeVoiceFaults(cartesia, startFakeCartesia);
describeVoiceFaults(elevenlabs, startFakeElevenlabsVoice);
describeVoiceFaults(deepgram, startFakeDeepgramVoice);
describeVoiceFaults(rime, startFakeRime);
