// Holds documents against the schemas of those who read them:
//
//     node manifests.js compose|kubernetes    with a JSON array of documents on stdin
//
// prints what is wrong, as a JSON array of sentences. The schema of the
// Compose Specification is beside the tests; those of Kubernetes, made from its
// OpenAPI description, are in the package kubernetes-models. They let unknown
// fields pass, as the API server may, so the names are compared with the
// package's declarations as well.
'use strict';

const fs = require('fs');
const path = require('path');

const packages = path.resolve(__dirname, '../../build/node/node_modules');
module.paths.push(packages);

function compose(documents) {
    const Ajv = require('ajv/dist/2020').default;
    const ajv = new Ajv({ strict: false, allErrors: true });
    require('ajv-formats').default(ajv);
    const schema = JSON.parse(fs.readFileSync(path.join(__dirname, '../deploy/compose-spec.json')));
    delete schema.$schema; // draft 7, whose words draft 2020 has too
    ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/);
    ajv.addFormat('ports', true);
    ajv.addFormat('expose', true);
    ajv.addFormat('subnet_ip_address', true);
    const validate = ajv.compile(schema);
    return documents.flatMap((document) =>
        validate(document) ? [] : validate.errors.map((error) => `${error.instancePath}: ${error.message}`));
}

// The fields of the one interface that a declaration has, and the files of their types.
function declared(file) {
    const text = fs.readFileSync(file, 'utf8');
    const body = text.match(/export interface I\w+[^{]*\{\n([\s\S]*?)\n\}/);
    if (!body) return null;
    const files = {};
    for (const [, names, from] of text.matchAll(/import \{ ([^}]*) \} from "([^"]+)"/g)) {
        const base = from.startsWith('.') ? path.resolve(path.dirname(file), from) : path.join(packages, from);
        for (const name of names.split(', ')) files[name] = base.replace(/(\.js)?$/, '.d.ts');
    }
    const fields = {};
    for (const [, name, type] of body[1].matchAll(/^    "?(\w+)"?\??: (.*?);?$/gm)) {
        const used = type.match(/\bI(IoK8s\w+)/);
        fields[name] = used ? files[`I${used[1]}`] : null;
    }
    return fields;
}

function* unknown(value, file, where) {
    const fields = file && fs.existsSync(file) ? declared(file) : null;
    if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) yield* unknown(item, file, `${where}/${i}`);
    } else if (fields && value && typeof value === 'object') {
        for (const [name, inner] of Object.entries(value)) {
            if (!(name in fields)) yield `${where}/${name}: there is no such field`;
            else yield* unknown(inner, fields[name], `${where}/${name}`);
        }
    }
}

async function kubernetes(documents) {
    const wrong = [];
    for (const document of documents) {
        const file = path.join(packages, 'kubernetes-models', document.apiVersion, document.kind);
        const where = `${document.kind} ${document.metadata && document.metadata.name}`;
        if (!fs.existsSync(`${file}.js`)) {
            wrong.push(`${where}: there is no ${document.apiVersion}/${document.kind}`);
            continue;
        }
        const Model = (await import(`${file}.js`))[document.kind];
        try {
            new Model(document).validate();
        } catch (error) {
            wrong.push(`${where}: ${error.message}`);
        }
        const { apiVersion, kind, ...rest } = document;
        wrong.push(...unknown(rest, `${file}.d.ts`, where));
    }
    return wrong;
}

const works = { compose, kubernetes };
const documents = JSON.parse(fs.readFileSync(0));
Promise.resolve(works[process.argv[2]](documents)).then((wrong) => console.log(JSON.stringify(wrong)));
