/**
 * Writes docs/events.md from the event types in src/domain: every `DomainEvent<'Name', …>` alias with its docstring and
 * its fields, by context. `--check` compares instead of writing.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '..');
const DOMAIN = join(ROOT, 'src/domain');
const TARGET = join(ROOT, 'docs/events.md');

function sources() {
  return readdirSync(DOMAIN, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .sort()
    .map((file) => join(DOMAIN, file));
}

function fieldOf(checker, node, field) {
  const type = checker.getTypeOfSymbolAtLocation(field, node);
  const text = checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
  return {
    name: field.name + (field.flags & ts.SymbolFlags.Optional ? '?' : ''),
    type: text.replaceAll('readonly ', '').replaceAll('|', '\\|'),
  };
}

/** Every event type of the domain with its docstring and fields, in the order of the files. */
function catalogue() {
  const options = { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, strict: true };
  const program = ts.createProgram(sources(), options);
  const checker = program.getTypeChecker();
  const events = [];
  for (const file of program.getSourceFiles().filter((candidate) => candidate.fileName.startsWith(DOMAIN))) {
    ts.forEachChild(file, (node) => {
      if (!ts.isTypeAliasDeclaration(node) || !ts.isTypeReferenceNode(node.type)) return;
      if (node.type.typeName.getText(file) !== 'DomainEvent') return;
      const data = node.type.typeArguments?.[1];
      const fields = data === undefined ? [] : checker.getTypeFromTypeNode(data).getProperties();
      const symbol = checker.getSymbolAtLocation(node.name);
      events.push({
        type: node.name.text,
        context: file.fileName.slice(DOMAIN.length + 1).split('/')[0],
        about: ts.displayPartsToString(symbol?.getDocumentationComment(checker)),
        fields: fields.map((field) => fieldOf(checker, node, field)),
      });
    });
  }
  return events.sort((one, other) => one.context.localeCompare(other.context, 'en'));
}

function render(events) {
  const lines = [
    '# Events',
    '',
    'Generated from `src/domain` by `node scripts/events-catalogue.mjs`; a test fails when it is stale. Every event also',
    'carries metadata: `actor`, `correlationId`, `causationId`, `commandId?`, `reason?`, `schemaVersion`.',
    '',
  ];
  for (const context of [...new Set(events.map((event) => event.context))]) {
    lines.push(`## ${context}`, '');
    for (const event of events.filter((candidate) => candidate.context === context)) {
      lines.push(`### ${event.type}`, '');
      if (event.about !== '') lines.push(event.about.replaceAll('\n', ' '), '');
      lines.push('| field | type |', '|---|---|');
      for (const field of event.fields) lines.push(`| \`${field.name}\` | \`${field.type}\` |`);
      lines.push('');
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

const text = render(catalogue());
if (!process.argv.includes('--check')) writeFileSync(TARGET, text);
else if (readFileSync(TARGET, 'utf8') !== text) {
  console.error('docs/events.md is stale: run node scripts/events-catalogue.mjs');
  process.exit(1);
}
