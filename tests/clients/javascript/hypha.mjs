// The reference document's calls, as its JavaScript client makes them: standard input says where,
// standard output tells what came of each.
import { readFileSync } from "node:fs";
import { hyphaWebsocketClient } from "hypha-rpc";

const { url, token, gallery } = JSON.parse(readFileSync(0, "utf8"));
const prefix = `${gallery}/example-dataset`;
const config = { name: "test-client", server_url: url, logger: null };

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.message;
  }
  throw new Error("it was not refused");
}

const server = await hyphaWebsocketClient.connectToServer({ ...config, token });
const manager = await server.getService("public/artifact-manager");
const call = (method, args) => manager[method]({ ...args, _rkwargs: true });
const told = { workspace: server.config.workspace };

const collection_schema = { type: "object", required: ["description"] };
await call("create", {
  prefix: gallery,
  manifest: { name: "Dataset Gallery", type: "collection", collection: [], collection_schema },
});
told.exists = await refused(call("create", { prefix: gallery, manifest: { type: "collection" } }));

const manifest = { id: "example-dataset", name: "Example Dataset", type: "dataset", files: [] };
await call("create", { prefix, manifest, stage: true });
told.invalid = await refused(call("commit", { prefix }));
// Long enough for pieces, on its way there and on its way back.
const description = "A dataset with example data. ".repeat(30_000);
await call("edit", { prefix, manifest: { ...manifest, description } });
const put = await call("put_file", {
  prefix,
  file_path: "data.csv",
  options: { download_weight: 0.5 },
});
told.put = (await fetch(put, { method: "PUT", body: "year,height\n" })).status;
told.version = (await call("commit", { prefix })).version;
told.listed = await manager.list(gallery);
const get = await call("get_file", { prefix, path: "data.csv" });
told.got = await (await fetch(get)).text();
const read = await call("read", { prefix });
told.whole = read.description === description;
told.downloads = read._stats.download_count;
await call("index", { prefix: gallery });
await call("edit", { prefix });
await call("remove_file", { prefix, file_path: "data.csv" });
await call("commit", { prefix });
told.files = (await call("read", { prefix })).files;
told.denied = await refused(call("reset_stats", { prefix }));
await call("delete", { prefix: gallery, recursive: true });
told.missing = await refused(call("read", { prefix }));
told.uncommitted = await refused(call("commit", { prefix }));
told.wrong = await refused(
  hyphaWebsocketClient.connectToServer({ ...config, token: "not.a.token" }),
);
await server.disconnect();
process.stdout.write(JSON.stringify(told), () => process.exit(0));
