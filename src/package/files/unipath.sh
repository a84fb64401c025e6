#!/bin/sh
# The package brings its own Node.js.
exec /usr/lib/unipath/bin/node /usr/lib/unipath/build/src/cli.js "$@"
