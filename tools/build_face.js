// Bundles webapp/ui into webapp/static/dist: hashed names, minified, with source maps, and a manifest.json from entry to file.
//
// Each text file gets a .gz beside it, compressed once here and never per request. --watch rebuilds on change, unminified.

import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import esbuild from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const sources = join(root, "webapp", "ui");
const target = join(root, "webapp", "static", "dist");
const watching = process.argv.includes("--watch");

// app: every page; diagram: only where a diagram is shown.
const entries = ["app.js", "app.css", "diagram.js"].map((name) => join(sources, name));

const missing = entries.filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`Expected the entries ${missing.map((path) => relative(root, path)).join(", ")}, but they are not there`);
  process.exit(1);
}

function compress(path) {
  if (!/\.(js|css|svg)$/.test(path)) return;
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
}

function writeManifest(outputs) {
  const manifest = {};
  for (const [path, output] of Object.entries(outputs)) {
    const file = basename(path);
    if (output.entryPoint) {
      manifest[basename(output.entryPoint)] = file;
      // Styles that a script imports come out as a sheet of their own: diagram.js brings diagram.css.
      if (output.cssBundle) manifest[basename(output.entryPoint).replace(/\.js$/, ".css")] = basename(output.cssBundle);
    }
    compress(join(root, path));
  }
  const content = JSON.stringify(manifest, Object.keys(manifest).sort(), 2) + "\n";
  // Written last and whole: a server that reads it always finds the files it names.
  const part = join(target, "manifest.part");
  writeFileSync(part, content);
  renameSync(part, join(target, "manifest.json"));
}

function removeStale(outputs) {
  const current = new Set(Object.keys(outputs).map((path) => basename(path)));
  for (const name of readdirSync(target)) {
    const origin = name.replace(/\.gz$/, "");
    if (name !== "manifest.json" && !current.has(origin)) rmSync(join(target, name));
  }
}

const finish = {
  name: "manifest",
  setup(build) {
    build.onEnd((result) => {
      if (result.errors.length > 0) return;
      writeManifest(result.metafile.outputs);
      removeStale(result.metafile.outputs);
      console.log(`front end built: ${Object.keys(result.metafile.outputs).length} files`);
    });
  },
};

const options = {
  absWorkingDir: root,
  assetNames: "[name]-[hash]",
  bundle: true,
  entryNames: "[name]-[hash]",
  entryPoints: entries,
  format: "esm",
  legalComments: "linked",
  loader: { ".woff2": "file", ".woff": "file", ".ttf": "file", ".eot": "empty", ".svg": "file", ".png": "file" },
  logLevel: "warning",
  metafile: true,
  minify: !watching,
  outdir: target,
  plugins: [finish],
  sourcemap: "linked",
  target: ["chrome110", "firefox115", "safari16"],
};

mkdirSync(target, { recursive: true });
if (watching) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
