import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** A certificate for 127.0.0.1 and localhost that is its own CA, and its key, as files in `directory`. Needs openssl. */
export function makeTlsFiles(directory: string, name: string): { readonly cert: string; readonly key: string } {
  const cert = join(directory, `${name}.crt`);
  const key = join(directory, `${name}.key`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-days", "2", ...names, "-keyout", key, "-out", cert], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return { cert, key };
}
