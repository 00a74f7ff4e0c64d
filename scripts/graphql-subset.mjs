// Writes tests/contract/github-graphql-subset.graphql: of GitHub's GraphQL schema the fields that src/forge/github asks for,
// with the types of their arguments. Run it when a document changes:
//   npm install --no-save --prefix target/graphql graphql@16 @octokit/graphql-schema@15
//   NODE_PATH=target/graphql/node_modules node scripts/graphql-subset.mjs
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH + "/");
const {
  TypeInfo, buildSchema, getNamedType, isEnumType, isInputObjectType, isObjectType, isScalarType, isSpecifiedScalarType,
  parse, validate, visit, visitWithTypeInfo,
} = require("graphql");
const official = `${process.env.NODE_PATH}/@octokit/graphql-schema`;
const { version } = JSON.parse(readFileSync(`${official}/package.json`, "utf8"));
const schema = buildSchema(readFileSync(`${official}/schema.graphql`, "utf8"), { assumeValidSDL: true });

// Documents are Rust string literals that begin with `query(` or `mutation(`.
const folder = "src/forge/github";
const documents = readdirSync(folder).filter((file) => file.endsWith(".rs")).flatMap((file) => {
  const literals = readFileSync(`${folder}/${file}`, "utf8").matchAll(/"((?:query|mutation)\((?:[^"\\]|\\[^])*)"/g);
  return [...literals].map(([, literal]) => literal.replace(/\\\n\s*/g, ""));
});

const used = new Map();
const note = (type, field) => used.set(type.name, (used.get(type.name) ?? new Set()).add(field));
const whole = new Map();
const take = (type) => {
  const named = getNamedType(type);
  if (isSpecifiedScalarType(named) || whole.has(named.name)) return;
  whole.set(named.name, named);
  if (isInputObjectType(named)) Object.values(named.getFields()).forEach((field) => take(field.type));
};
for (const document of documents) {
  const parsed = parse(document);
  const wrong = validate(schema, parsed);
  if (wrong.length > 0) throw new Error(`${document}\n${wrong.join("\n")}`);
  const info = new TypeInfo(schema);
  visit(parsed, visitWithTypeInfo(info, {
    Field() {
      const [parent, field] = [info.getParentType(), info.getFieldDef()];
      note(parent, field.name);
      field.args.forEach((arg) => take(arg.type));
      const type = getNamedType(field.type);
      if (isScalarType(type) || isEnumType(type)) take(type);
      else if (!used.has(type.name)) used.set(type.name, new Set());
      for (const above of isObjectType(parent) ? parent.getInterfaces() : [])
        if (used.has(above.name)) for (const own of Object.keys(above.getFields())) note(parent, own);
    },
  }));
}
// Whatever is an interface here has at least one field, which its types have too.
for (const name of [...used.keys()]) {
  const type = schema.getType(name);
  if (used.get(name).size === 0) note(type, Object.keys(type.getFields())[0]);
  for (const above of isObjectType(type) ? type.getInterfaces() : [])
    if (used.has(above.name)) for (const own of used.get(above.name)) note(type, own);
}

const args = (field) => field.args.length === 0 ? "" : `(${field.args.map((arg) => `${arg.name}: ${arg.type}`).join(", ")})`;
const lines = [`# From GitHub's schema as in @octokit/graphql-schema ${version}; written by scripts/graphql-subset.mjs.`];
for (const name of [...used.keys()].sort()) {
  const type = schema.getType(name);
  const above = isObjectType(type) ? type.getInterfaces().map(String).filter((one) => used.has(one)) : [];
  const fields = [...used.get(name)].sort().map((field) => type.getFields()[field]);
  lines.push("", `${isObjectType(type) ? "type" : "interface"} ${name}${above.length > 0 ? ` implements ${above.join(" & ")}` : ""} {`);
  lines.push(...fields.map((field) => `  ${field.name}${args(field)}: ${field.type}`), "}");
}
for (const name of [...whole.keys()].sort()) {
  const type = whole.get(name);
  if (isScalarType(type)) lines.push("", `scalar ${name}`);
  else if (isEnumType(type)) lines.push("", `enum ${name} {`, ...type.getValues().map((value) => `  ${value.name}`), "}");
  else lines.push("", `input ${name} {`, ...Object.values(type.getFields()).map((field) => `  ${field.name}: ${field.type}`), "}");
}
writeFileSync("tests/contract/github-graphql-subset.graphql", lines.join("\n") + "\n");
console.log(`${documents.length} documents, ${used.size} types`);
