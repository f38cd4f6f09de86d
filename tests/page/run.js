// Runs networks from standard input, as JSON lines of {network, model, picture}; prints the outputs of every layer.
"use strict";
const Network = require(process.argv[2]);
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { model, picture } = JSON.parse(line);
  console.log(JSON.stringify(Network.load(model).run(picture).map((v) => ({ shape: v.shape, data: [...v.data] }))));
});
