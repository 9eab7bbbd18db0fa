// Package hub fetches models from a model hub that speaks the protocol of
// huggingface.co, into the cache that Python's huggingface_hub keeps, so that
// neither downloads what the other has.
//
// A pull has two halves. Open asks what the repository holds, chooses what taca
// reads of it, and looks what is here already; it writes nothing. Fetch brings
// the rest: each file grows as blobs/ETAG.incomplete, always a prefix of the
// file, so whatever ends a pull, the next one goes on from there. Only bytes
// whose hash and size are what the hub lists become blobs/ETAG, to which a link
// in snapshots/COMMIT points; refs/REVISION, by which models are found, is
// written last.
//
// Nothing the server says is believed further than it must be: answers are
// bounded, names are checked, and the token goes to the hub's own origin alone.
package hub
