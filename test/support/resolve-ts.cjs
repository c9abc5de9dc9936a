const { sep } = require('node:path');

/** Jest resolver: reads './x.js' as './x.ts' for an import in one of our own files, if such a file exists. */
module.exports = (request, options) => {
  const ours = !options.basedir.includes(`${sep}node_modules${sep}`);
  if (ours && /^\.{1,2}\/.*\.js$/.test(request)) {
    try {
      return options.defaultResolver(request.replace(/\.js$/, '.ts'), options);
    } catch {
      // A real JavaScript file: the default resolution below finds it, or throws.
    }
  }
  return options.defaultResolver(request, options);
};
