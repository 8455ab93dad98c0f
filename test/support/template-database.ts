/** Name of the migrated database that tests clone. */
export const TEMPLATE_DATABASE = 'agent_stream_template';
