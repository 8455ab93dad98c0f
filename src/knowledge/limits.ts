/** Largest file that is taken, bytes. */
export const MAX_FILE_BYTES = 10 * 1024 * 1024;
/** Most pages of a PDF. */
export const MAX_PAGES = 500;
/** Most text of a document, characters (UTF-16 code units). */
export const MAX_TEXT_LENGTH = 2_000_000;
/** Most text of a document that is shown to the model whole, characters: about 10,000 tokens of every pass. */
export const MAX_FULL_TEXT_LENGTH = 40_000;
/** Most parts of a document. */
export const MAX_CHUNKS = 10_000;
/** What a DOCX, a zip archive, may inflate to, bytes. */
export const MAX_INFLATED_BYTES = 64 * 1024 * 1024;
/** Longest heading that is kept, characters. */
export const MAX_HEADING_LENGTH = 200;
/** How long reading one file may take. */
export const PARSE_TIMEOUT_MS = 30_000;
/** Memory of the thread that reads a file, MB. */
export const PARSE_MEMORY_MB = 512;
/** Files that wait while one is read; more are turned away. */
export const MAX_WAITING_FILES = 4;
/** Passages a search gives by default. */
export const DEFAULT_PASSAGES = 4;
/** Most passages a search gives. */
export const MAX_PASSAGES = 20;
/** Longest query, characters; the rest is not looked at. */
export const MAX_QUERY_LENGTH = 500;
/** Parts that the thread of the calls reads and hands over at once: about a millisecond of its time. */
export const SLICE_CHUNKS = 50;
/** Vectors that it reads and hands over at once: 200 KB with 1536 numbers each. */
export const SLICE_VECTORS = 32;
/** Most vectors of documents that are searched together: a query is compared with each. Documents beyond it are found by words alone. */
export const MAX_COMPARED_VECTORS = 10_000;
/** How long a call waits for the vector of a query; past it the search goes by words alone. */
export const QUERY_EMBEDDING_TIMEOUT_MS = 1000;
