package org.edgefacenet.core

/**
 * Everything this code refuses on purpose. Each message says what, where, the limit against what was found, and the next
 * step, in one or two sentences, and may be shown to a user as it is. The kinds are those of `edge_facenet/errors.py`.
 */
sealed class EdgeFacenetException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** Photos, crops or camera frames that cannot be used. */
class InputException(message: String, cause: Throwable? = null) : EdgeFacenetException(message, cause)

/** An artifact and its manifest do not belong together, or one of them is damaged. */
class ManifestException(message: String, cause: Throwable? = null) : EdgeFacenetException(message, cause)

/** An artifact does not give its own golden embeddings on this engine. */
class SelfTestException(message: String) : EdgeFacenetException(message)

/** No threshold of this artifact supports the decision asked for. */
class ThresholdException(message: String) : EdgeFacenetException(message)

/** A gallery file that is damaged, newer than this version, or not a gallery. */
open class GalleryException(message: String, cause: Throwable? = null) : EdgeFacenetException(message, cause)

/** A gallery whose embeddings another network or aligner made: comparing with them would be nonsense. */
class GalleryMismatchException(message: String) : GalleryException(message)

/** An engine or accelerator is not here, or refuses this file. */
class EngineException(message: String, cause: Throwable? = null) : EdgeFacenetException(message, cause)

/** The place to write to is full or not writable; what was there before is untouched. */
class OutputException(message: String, cause: Throwable? = null) : EdgeFacenetException(message, cause)
