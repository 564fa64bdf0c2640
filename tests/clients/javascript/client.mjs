// The AWS SDK for JavaScript v3, told what to do: jobs come as JSON on standard input, and what
// came of each goes as JSON to standard output.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "node:http";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

// Names below `localhost` lead to this machine, which is not so everywhere.
const lookup = (_name, { all }, answer) =>
  all ? answer(null, [{ address: "127.0.0.1", family: 4 }]) : answer(null, "127.0.0.1", 4);
const here = { requestHandler: { httpAgent: new Agent({ lookup }) } };

const refusal = async (client, command) => {
  try {
    await client.send(command);
  } catch (error) {
    return { name: error.name, status: error.$metadata?.httpStatusCode };
  }
  return null;
};

// Where a job reads and writes: one client, one prefix.
const place = (job, settings = {}) => {
  const { Bucket, prefix } = job;
  const client = new S3Client({
    ...job.client,
    ...(job.client.forcePathStyle ? {} : here),
    ...settings,
  });
  const at = (path) => ({ Bucket, Key: `${prefix}/${path}` });
  const bytesOf = async (path, options = {}) => {
    const { Body } = await client.send(new GetObjectCommand({ ...at(path), ...options }));
    return Body.transformToByteArray();
  };
  return { Bucket, prefix, client, at, bytesOf };
};

const actions = {
  // Every file below the prefix: how long it is listed, and the digest of what came.
  async read(job) {
    const { Bucket, prefix, client, at, bytesOf } = place(job);
    const files = {};
    const listing = { Bucket, Prefix: `${prefix}/`, MaxKeys: 3 };
    for await (const page of paginateListObjectsV2({ client }, listing)) {
      for (const { Key, Size } of page.Contents ?? []) {
        const path = Key.slice(prefix.length + 1);
        const { ContentLength } = await client.send(new HeadObjectCommand(at(path)));
        files[path] = { size: Size, told: ContentLength, digest: digest(await bytesOf(path)) };
      }
    }
    const ranged = await bytesOf("big.bin", { Range: job.range });
    return { files, ranged: digest(ranged) };
  },

  // One small object by each way that there is, and a large one in parts.
  async write(job) {
    const { Bucket, prefix, client, at, bytesOf } = place(job);
    const small = readFileSync(job.small);
    const big = readFileSync(job.big);
    const options = { ContentType: "text/x", Metadata: { colour: "blue" } };
    await client.send(new PutObjectCommand({ ...at("sub/a b+c%20d ünï"), Body: small, ...options }));
    const stream = { Body: Readable.from([small]), ContentLength: small.length };
    await client.send(new PutObjectCommand({ ...at("streamed"), ...stream }));
    for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
      const params = { ...at(ChecksumAlgorithm), Body: small, ChecksumAlgorithm };
      await client.send(new PutObjectCommand(params));
      await bytesOf(ChecksumAlgorithm, { ChecksumMode: "ENABLED" });
    }
    const upload = new Upload({
      client,
      params: { ...at("big.bin"), Body: Readable.from([big]) },
      partSize: job.part,
      queueSize: 3,
    });
    const { ETag } = await upload.done();
    const source = { CopySource: encodeURI(`${Bucket}/${prefix}/streamed`) };
    await client.send(new CopyObjectCommand({ ...at("copy"), ...source }));
    for (const path of ["one", "two", "three"]) {
      await client.send(new PutObjectCommand({ ...at(path), Body: "goes" }));
    }
    await client.send(new DeleteObjectCommand(at("three")));
    const Delete = { Objects: [{ Key: at("one").Key }, { Key: at("two").Key }] };
    const gone = await client.send(new DeleteObjectsCommand({ Bucket, Delete }));
    const once = { ...at("once"), Body: small, IfNoneMatch: "*" };
    await client.send(new PutObjectCommand(once));
    const again = await refusal(client, new PutObjectCommand({ ...once, Body: "again" }));
    const told = await client.send(new HeadObjectCommand(at("sub/a b+c%20d ünï")));
    return {
      big: { ETag, digest: digest(await bytesOf("big.bin")) },
      gone: gone.Deleted.map(({ Key }) => Key).sort(),
      again,
      told: { type: told.ContentType, colour: told.Metadata.colour },
    };
  },

  // By default the SDK signs the checksum of an empty body into URLs for PUT.
  async presign(job) {
    const { client, at } = place(job, { requestChecksumCalculation: "WHEN_REQUIRED" });
    const put = new PutObjectCommand(at("by url +%"));
    const get = new GetObjectCommand({ ...at("by url +%"), ResponseContentType: "text/x" });
    const urls = { put: await getSignedUrl(client, put), get: await getSignedUrl(client, get) };
    const answer = await fetch(urls.put, { method: "PUT", body: "by url" });
    const got = await fetch(urls.get);
    const type = got.headers.get("Content-Type");
    return { put: answer.status, got: await got.text(), type };
  },

  async refused(job) {
    const { client, at } = place(job);
    const gets = job.paths.map((path) => new GetObjectCommand(at(path)));
    const put = new PutObjectCommand({ ...at(job.paths[0]), Body: "no" });
    return {
      get: await Promise.all(gets.map((get) => refusal(client, get))),
      head: await refusal(client, new HeadObjectCommand(at(job.paths[0]))),
      put: await refusal(client, put),
      list: await refusal(client, new ListObjectsV2Command({ Bucket: "no-such-workspace" })),
    };
  },
};

const outcomes = [];
for (const job of JSON.parse(readFileSync(0, "utf8"))) {
  outcomes.push(await actions[job.action](job));
}
console.log(JSON.stringify(outcomes));
