// Reads diagrams as bpmn-js and Camunda Modeler do, and prints what either complains about, one JSON line a diagram:
// {"file": …, "warnings": [import warnings], "findings": [what @camunda/linting reports]}
// Bundled before it runs, since the linter is published for bundlers.

import { readFileSync } from "node:fs";

import { Linter } from "@camunda/linting";
import { BpmnModdle } from "bpmn-moddle";
import modeler from "modeler-moddle/resources/modeler.json";
import zeebe from "zeebe-bpmn-moddle/resources/zeebe.json";

for (const file of process.argv.slice(2)) {
  const moddle = new BpmnModdle({ modeler, zeebe });
  const { rootElement, warnings } = await moddle.fromXML(readFileSync(file, "utf-8"));
  const reports = await new Linter({ modeler: "desktop", type: "cloud" }).lint(rootElement);
  const findings = reports.map(({ id, message, category, rule }) => ({ id, message, category, rule }));
  console.log(JSON.stringify({ file, warnings: warnings.map((warning) => warning.message), findings }));
}
