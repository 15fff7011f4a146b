// Fills in a form as a phone would, with the XForms engine of ODK Web Forms, and packs it for sending.
//
//   node phone.mjs FORM.xml ANSWERS.json FOLDER MOST_BYTES_A_POST
//
// ANSWERS is a list of [reference, answer]: text; a list, where one or several are to be chosen; or
// {"file": path, "name": name, "type": media type}. A question that the form does not ask at that
// moment, a choice it does not offer and an answer that breaks one of its rules end the program.
// FOLDER receives the parts of every post, and posts.json, which lists them.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { JSDOM } from 'jsdom';

const [formFile, answersFile, folder, maxSize] = process.argv.slice(2);

// The engine wants a browser's DOM; its WebAssembly loader takes node for CommonJS.
const { window } = new JSDOM('');
for (const name of ['Attr', 'CDATASection', 'Comment', 'Document', 'DOMParser', 'Element', 'Node',
  'ProcessingInstruction', 'Text', 'XMLDocument', 'XMLSerializer', 'document']) {
  globalThis[name] = window[name];
}
globalThis.require = createRequire(import.meta.url);
globalThis.__dirname = import.meta.dirname;
const { loadForm } = await import('@getodk/xforms-engine');

const form = await loadForm(await readFile(formFile, 'utf8'));
if (form.status !== 'success') throw form.error ?? new Error(JSON.stringify(form.warnings));
const { root } = form.createInstance({ preloadProperties: { deviceID: 'endwatch:test' } });

function find(reference, within = root) {
  for (const child of within.currentState.children ?? []) {
    const here = child.currentState.reference;
    if (here === reference && !child.nodeType.startsWith('repeat-range')) return child;
    if (reference.startsWith(`${here}/`) || reference.startsWith(`${here}[`)) {
      const found = find(reference, child);
      if (found) return found;
    }
  }
  return null;
}

function repeatAt(path, within = root) {
  for (const child of within.currentState.children ?? []) {
    if (child.nodeType === 'repeat-range:uncontrolled' && child.currentState.reference === path) {
      return child;
    }
    const found = repeatAt(path, child);
    if (found) return found;
  }
  return null;
}

// Adds entries to the repeats that a reference names, until there are as many as it says.
function open(reference) {
  for (const entry of reference.matchAll(/\[(\d+)\]/g)) {
    const repeat = repeatAt(reference.slice(0, entry.index));
    if (!repeat) throw new Error(`${reference}: no such repeat`);
    while (repeat.currentState.children.length < Number(entry[1])) {
      repeat.addInstances(repeat.currentState.children.length - 1);
    }
  }
}

async function answer(reference, value) {
  open(reference);
  const node = find(reference);
  if (!node) throw new Error(`${reference}: no such question`);
  if (!node.currentState.relevant) throw new Error(`${reference}: not asked now`);
  if (node.nodeType === 'select') {
    const offered = new Set(node.currentState.valueOptions.map((option) => option.value));
    const missing = value.filter((one) => !offered.has(one));
    if (missing.length) throw new Error(`${reference}: ${missing} is not offered`);
    node.selectValues(value);
  } else if (node.nodeType === 'upload') {
    node.setValue(new File([await readFile(value.file)], value.name, { type: value.type }));
  } else {
    node.setValue(value);
  }
}

for (const [reference, value] of JSON.parse(await readFile(answersFile, 'utf8'))) {
  await answer(reference, value);
}
const payload = await root.prepareInstancePayload({ payloadType: 'chunked', maxSize: Number(maxSize) });
if (payload.status !== 'ready') {
  const broken = payload.violations.map((one) => `${one.reference}: ${one.violation?.message?.asString}`);
  throw new Error(`${payload.status}: ${broken.join('; ') || JSON.stringify(payload.violations)}`);
}
const posts = [];
for (const data of payload.data) {
  const parts = [];
  for (const [part, content] of data) {
    const file = join(folder, `${posts.length + 1}_${basename(content.name)}`);
    await writeFile(file, Buffer.from(await content.arrayBuffer()));
    parts.push({ part, name: content.name, type: content.type, file });
  }
  posts.push(parts);
}
await writeFile(join(folder, 'posts.json'), JSON.stringify(posts));
