# Sourced. Names the object files that SwiftPM has made.

# objects FOLDER MODULE...: what was compiled of the modules, without the remains of sources that are gone.
objects() {
  local build=$1 module source sources
  shift
  for module in "$@"; do
    sources=Sources/$module
    [ -d "$sources" ] || sources=CSupport/$module
    find "$sources" -name '*.swift' -o -name '*.c' | sort | while IFS= read -r source; do
      echo "$build/$module.build/$(basename "$source").o"
    done
  done
}

# Everything that both programs and the library are made of.
common_modules="CPlatform CDigest SpliceBase SpliceWire SpliceCore SpliceUV SpliceSystem SpliceEngine SpliceClient"
