// Measures the budgets of CONTRIBUTING.md on src/ and fails where one is broken: file sizes, class sizes, docstrings, file names.
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const maxMedianFileLines = 110;
const maxFileLines = 400;
const maxMedianFunctionLines = 8;
const maxClassFields = 10;
const maxClassBooleans = 2;
const forbiddenNames = /(^|-)(manager|helper|helpers|util|utils|base|handler2)(-|$)/;
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/;

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function listFiles(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return listFiles(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.floor(sorted.length / 2)];
}

const isGenerated = (text) => text.startsWith('// Generated');
const isExported = (node) => node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false;
const hasDocstring = (node) => ts.getJSDocCommentsAndTags(node).length > 0;

const isDeclaration = (node) =>
  ts.isFunctionDeclaration(node) ||
  ts.isClassDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isVariableStatement(node);

function nameOf(node) {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map((one) => one.name.getText()).join(', ');
  return node.name?.getText() ?? '(default)';
}

/** Overloads share the docstring of the first one. */
function undocumentedExports(source) {
  const documented = new Set(source.statements.filter((node) => isDeclaration(node) && hasDocstring(node)).map(nameOf));
  return source.statements.filter((node) => isDeclaration(node) && isExported(node) && !documented.has(nameOf(node))).map(nameOf);
}

function isBooleanField(field) {
  if (field.type !== undefined) return field.type.kind === ts.SyntaxKind.BooleanKeyword;
  const kind = field.initializer?.kind;
  return kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword;
}

function fieldsOf(classNode) {
  const isField = (member) => ts.isPropertyDeclaration(member) && !member.modifiers?.some((one) => one.kind === ts.SyntaxKind.StaticKeyword);
  const constructorNode = classNode.members.find(ts.isConstructorDeclaration);
  const parameterFields = constructorNode?.parameters.filter((parameter) => ts.isParameterPropertyDeclaration(parameter, constructorNode)) ?? [];
  return [...classNode.members.filter(isField), ...parameterFields];
}

/** Adds what `source` breaks to `problems`, and the length of each of its functions to `functionLines`. */
function inspect(source, path, problems, functionLines) {
  for (const name of undocumentedExports(source)) problems.push(`${path}: exported ${name} has no docstring`);
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      const start = source.getLineAndCharacterOfPosition(node.getStart()).line;
      functionLines.push(source.getLineAndCharacterOfPosition(node.end).line - start + 1);
    }
    if (ts.isClassLike(node)) {
      const fields = fieldsOf(node);
      const booleans = fields.filter(isBooleanField);
      const name = node.name?.text ?? 'class';
      if (fields.length > maxClassFields) problems.push(`${path}: class ${name} has ${fields.length} fields, more than ${maxClassFields}`);
      if (booleans.length > maxClassBooleans) {
        problems.push(`${path}: class ${name} has ${booleans.length} boolean fields, more than ${maxClassBooleans}; make its state a union`);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

const problems = [];
const functionLines = [];
const sizes = [];
for (const file of listFiles(join(root, 'src'))) {
  const text = readFileSync(file, 'utf8');
  const path = relative(root, file);
  const name = basename(file);
  if (!kebabCase.test(name)) problems.push(`${path}: file names are kebab-case`);
  if (forbiddenNames.test(name.replace(/\..*$/, ''))) problems.push(`${path}: the name says nothing about what it does`);
  if (name.endsWith('.test.ts') || isGenerated(text)) continue;
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  sizes.push({ path, lines });
  if (lines > maxFileLines) problems.push(`${path}: ${lines} lines, more than ${maxFileLines}`);
  inspect(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), path, problems, functionLines);
}

const medianFile = median(sizes.map((size) => size.lines));
const medianFunction = median(functionLines);
const longest = sizes.reduce((former, size) => (size.lines > former.lines ? size : former), { path: '-', lines: 0 });
if (medianFile > maxMedianFileLines) problems.push(`the median file has ${medianFile} lines, more than ${maxMedianFileLines}`);
if (medianFunction > maxMedianFunctionLines) problems.push(`the median function has ${medianFunction} lines, more than ${maxMedianFunctionLines}`);

console.log(
  `${sizes.length} files, median ${medianFile} lines, longest ${longest.lines} (${longest.path}); ` +
    `${functionLines.length} functions, median ${medianFunction} lines, longest ${Math.max(0, ...functionLines)}`,
);
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} budget problems`);
  process.exitCode = 1;
}
