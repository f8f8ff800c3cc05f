// Mistakes that `plant.py` writes into copies of the sources. One at a time is switched on.

/// The planted mistake that is on, by its name in `plants.txt`; empty in every ordinary run.
nonisolated(unsafe) package var plantedMistake = ""

/// Asked by the planted sources only.
@inline(never)
package func isPlanted(_ name: StaticString) -> Bool {
  !plantedMistake.isEmpty && plantedMistake == name.description
}
