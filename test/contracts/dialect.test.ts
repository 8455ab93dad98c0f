import { cloudonix } from '../../src/telephony/cloudonix/index.js';
import { describeDialect } from './dialect.js';
import { cloudonixDialectFixtures } from './fixtures/cloudonix-dialect.js';

describeDialect(cloudonix, cloudonixDialectFixtures);
