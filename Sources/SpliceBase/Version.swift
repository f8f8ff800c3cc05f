// The version of everything in this package, in one place.

/// Of the programs; the protocol and the files on disk have numbers of their own.
package let programVersion: StaticString = "0.1.0"
