package org.edgefacenet.app.people

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Locked
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Watched
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.core.Person

/** What must be confirmed before it is done. */
sealed class Question {
    data class Delete(val person: Person) : Question()

    data class DeleteAll(val people: Int) : Question()

    object SetAside : Question()
}

/**
 * @property locked why there are no people to be shown.
 * @property aside number of galleries that were set aside.
 */
data class PeopleState(val people: List<Person> = emptyList(), val locked: Locked? = null, val aside: Int = 0, val question: Question? = null) {
    /** Whether the app keeps anything of anybody, shown or not. */
    val holdsAnybody: Boolean get() = people.isNotEmpty() || locked != null || aside > 0
}

/** The list of people, and forgetting them. */
class PeoplePresenter(private val work: Work, private val session: () -> Session?) {
    val state: Watched<PeopleState> = Watched(PeopleState())
    val notice: Watched<Words?> = Watched(null)

    /** Look again: the camera's screen may have enrolled somebody. */
    fun refresh() {
        val session = session() ?: return
        state.value = state.value.copy(people = session.people?.people().orEmpty(), locked = session.locked, aside = session.aside)
    }

    fun askDelete(id: Int) {
        state.value.people.firstOrNull { it.id == id }?.let { ask(Question.Delete(it)) }
    }

    fun askDeleteAll() {
        if (state.value.holdsAnybody) ask(Question.DeleteAll(state.value.people.size))
    }

    fun askSetAside() {
        if (state.value.locked != null) ask(Question.SetAside)
    }

    /** The question was answered with no. */
    fun dismiss(): Unit = ask(null)

    /** The question was answered with yes. Deleting writes the gallery's file anew, without what is to be forgotten. */
    fun confirm() {
        val question = state.value.question ?: return
        val session = session() ?: return
        ask(null)
        work.run({ act(session, question) }) { outcome ->
            notice.value = when (outcome) {
                is Outcome.Done -> done(question, outcome.value)
                is Outcome.Refused -> Words.of(outcome.error)
            }
            refresh()
        }
    }

    private fun act(session: Session, question: Question): Any? = when (question) {
        is Question.Delete -> session.people?.forget(question.person.id)
        is Question.DeleteAll -> session.forgetEverybody()
        is Question.SetAside -> session.setAside()
    }

    private fun ask(question: Question?) {
        state.value = state.value.copy(question = question)
    }

    private fun done(question: Question, came: Any?): Words = when (question) {
        is Question.Delete -> Words.text(R.string.people_forgotten, question.person.name)
        is Question.DeleteAll -> if (question.people > 0) Words.plural(R.plurals.people_all_forgotten, question.people) else Words.text(R.string.people_nothing_kept)
        is Question.SetAside -> Words.text(R.string.gallery_set_aside, came.toString())
    }
}
