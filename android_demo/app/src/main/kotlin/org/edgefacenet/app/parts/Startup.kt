package org.edgefacenet.app.parts

/** Where the app is with loading what it needs. */
sealed class Stage {
    object Loading : Stage()

    data class Ready(val session: Session) : Stage()

    data class Failed(val why: Words) : Stage()
}

/** Opens the session once for the whole process; screens watch [stage]. */
class Startup(private val work: Work, private val open: () -> Session) {
    val stage: Watched<Stage> = Watched(Stage.Loading)
    private var begun = false

    /** The session; null until it is open. */
    val session: Session? get() = (stage.value as? Stage.Ready)?.session

    /** Begin, unless that was done. */
    fun begin() {
        if (begun) return
        begun = true
        stage.value = Stage.Loading
        work.run(open) { outcome ->
            stage.value = when (outcome) {
                is Outcome.Done -> Stage.Ready(outcome.value)
                is Outcome.Refused -> Stage.Failed(Words.of(outcome.error))
            }
        }
    }

    /** Once more after a failure. */
    fun again() {
        begun = false
        begin()
    }
}
