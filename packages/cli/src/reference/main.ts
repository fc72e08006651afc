import { writeFileSync } from 'node:fs';

import { makeProgram } from '../program.js';
import { nowhere } from './nowhere.js';
import { referencePage } from './markdown.js';

/** `main.js FILE` writes the page; a test says when it is stale. */
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: main.js FILE');
writeFileSync(file, referencePage(makeProgram(nowhere)));
